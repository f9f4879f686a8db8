/**
 * Reads of the data collection. Each asks for a marker as well, in the same command, and believes the answer
 * only if the marker has this owner's epoch and is as new as what this process has applied. So one round trip
 * is enough, and
 *
 * - a process that lost the store notices it at its next read, and gives no answer from then on;
 * - a member that lags behind (another read preference than primary, or a primary that does not know yet that
 *   it is none any more) is found out, and the primary is asked again.
 *
 * The marker comes first in the order of the index, so what follows is at least as new as the marker.
 */
import type { Collection, FindCursor, FindOptions, ReadPreferenceMode, WithId } from 'mongodb';
import { LOWER_MARKER, UPPER_MARKER, type DataDocument } from './layout.js';

/** No member has the markers as this owner left them. */
export class MarkersChanged extends Error {}

/** Where to read, and what must be visible there. */
export interface ReadSource {
  readonly data: Collection<DataDocument>;
  readonly epoch: number;
  /** The number up to which every journal entry must be in the answer. */
  readonly floor: number;
}

/** Bounds as `_id`s. At most one lower and one upper bound is given. */
export interface Bounds {
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly lte?: string;
}

export interface PageRequest {
  readonly bounds: Bounds;
  readonly reverse: boolean;
  readonly limit: number;
  /** False: keys only. */
  readonly values: boolean;
}

export interface Page {
  /** Those that are marked as deleted too. */
  readonly documents: readonly DataDocument[];
  /** False when nothing of the range follows. */
  readonly more: boolean;
}

type Found = WithId<DataDocument>;

export class DataReader {
  readonly #preference: ReadPreferenceMode;

  constructor(preference: ReadPreferenceMode) {
    this.#preference = preference;
  }

  /** The documents of the keys that are there, or are marked as deleted. @throws MarkersChanged */
  async keys(source: ReadSource, ids: readonly string[]): Promise<Found[]> {
    return this.#fromMemberThatIsUpToDate(source, async readPreference => {
      const found = source.data.find(
        { _id: { $in: [LOWER_MARKER, ...ids] } },
        { sort: { _id: 1 }, readPreference },
      );
      const [marker, ...documents] = await found.toArray();
      return { marker, result: documents };
    });
  }

  /**
   * The first documents of a range. Fewer than `limit` when the range ends, or when a reply is full (16 MiB).
   * @throws MarkersChanged
   */
  async page(source: ReadSource, request: PageRequest): Promise<Page> {
    return this.#fromMemberThatIsUpToDate(source, async readPreference => {
      const cursor = openPage(source.data, request, readPreference);
      try {
        const marker = await cursor.next();
        const documents = cursor.readBufferedDocuments();
        const isLast = cursor.id === undefined || cursor.id.isZero();
        const more = documents.length >= request.limit || !isLast;
        return { marker: marker ?? undefined, result: { documents, more } };
      } finally {
        await cursor.close();
      }
    });
  }

  async #fromMemberThatIsUpToDate<T>(
    source: ReadSource,
    read: (preference: ReadPreferenceMode) => Promise<{ marker: Found | undefined; result: T }>,
  ): Promise<T> {
    const preferences = new Set<ReadPreferenceMode>([this.#preference, 'primary']);
    for (const preference of preferences) {
      const { marker, result } = await read(preference);
      if (isMarker(marker) && marker.epoch === source.epoch && (marker.applied ?? -1) >= source.floor)
        return result;
    }
    throw new MarkersChanged('the markers are not there, or not as this owner left them');
  }
}

/**
 * One page, its marker first. Both parts of the `$or` are ranges of `_id`, so the index gives the documents
 * in order, and the whole page is one reply unless it is full before.
 */
function openPage(
  data: Collection<DataDocument>,
  { bounds, reverse, limit, values }: PageRequest,
  readPreference: ReadPreferenceMode,
): FindCursor<Found> {
  const options: FindOptions = {
    sort: { _id: reverse ? -1 : 1 },
    limit: limit + 1,
    batchSize: limit + 1,
    readPreference,
    ...(values ? {} : { projection: { v: 0 } }),
  };
  const marker = reverse ? UPPER_MARKER : LOWER_MARKER;
  return data.find({ $or: [{ _id: marker }, { _id: rangeOf(bounds) }] }, options);
}

function isMarker(document: DataDocument | undefined): document is DataDocument {
  return document?._id === LOWER_MARKER || document?._id === UPPER_MARKER;
}

/** Without bounds, all keys: everything between the markers. */
function rangeOf({ gt, gte, lt, lte }: Bounds): Record<string, string> {
  return {
    ...(gte === undefined ? { $gt: gt ?? LOWER_MARKER } : { $gte: gte }),
    ...(lte === undefined ? { $lt: lt ?? UPPER_MARKER } : { $lte: lte }),
  };
}
