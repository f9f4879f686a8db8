/** Reads of the data, each with a marker that says how new it is: README.md, "Reading". */
import type { Collection, FindCursor, FindOptions, ReadPreferenceMode, WithId } from 'mongodb';
import { LOWER_MARKER, UPPER_MARKER, type DataDocument } from './documents.js';

/** No member has the markers as this owner left them. */
export class MarkersChanged extends Error {}

/** Where to read, and what must be visible there. */
export interface ReadSource {
  readonly data: Collection<DataDocument>;
  readonly epoch: number;
  /** The number up to which every journal entry must be in the answer. */
  readonly floor: number;
  /** The turn that must have been carried out there. */
  readonly turn: number;
  /** True for a document that came late, and counts for nothing. */
  readonly isLate: (document: DataDocument) => boolean;
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
  /** Those that count. */
  readonly documents: readonly DataDocument[];
  /** The last key that was looked at, unless that was all. */
  readonly last: string | undefined;
}

type Found = WithId<DataDocument>;

export class DataReader {
  readonly #preference: ReadPreferenceMode;

  constructor(preference: ReadPreferenceMode) {
    this.#preference = preference;
  }

  /**
   * The documents of the keys that are there, in the order of the keys: as many as fit into a reply (16 MiB).
   * @throws MarkersChanged
   */
  async keys(source: ReadSource, ids: readonly string[]): Promise<Page> {
    return this.#fromMemberThatIsUpToDate(source, async readPreference => {
      const filter = { _id: { $in: [LOWER_MARKER, ...ids] } };
      const batchSize = ids.length + 1;
      const cursor = source.data.find(filter, {
        sort: { _id: 1 },
        limit: batchSize,
        batchSize,
        readPreference,
      });
      const { marker, documents, isLast } = await firstReply(cursor);
      return {
        marker,
        result: {
          documents: documents.filter(document => !source.isLate(document)),
          last: isLast ? undefined : documents.at(-1)?._id,
        },
      };
    });
  }

  /**
   * The first documents of a range. Fewer than `limit` when the range ends, or when a reply is full (16 MiB).
   * @throws MarkersChanged
   */
  async page(source: ReadSource, request: PageRequest): Promise<Page> {
    return this.#fromMemberThatIsUpToDate(source, async readPreference => {
      const { marker, documents, isLast } = await firstReply(openPage(source.data, request, readPreference));
      const more = documents.length >= request.limit || !isLast;
      const last = more ? documents.at(-1)?._id : undefined;
      return {
        marker,
        result: { documents: documents.filter(document => !source.isLate(document)), last },
      };
    });
  }

  async #fromMemberThatIsUpToDate<T>(
    source: ReadSource,
    read: (preference: ReadPreferenceMode) => Promise<{ marker: Found | undefined; result: T }>,
  ): Promise<T> {
    const preferences = new Set<ReadPreferenceMode>([this.#preference, 'primary']);
    for (const preference of preferences) {
      const { marker, result } = await read(preference);
      if (!isMarker(marker) || marker.epoch !== source.epoch) continue;
      const { applied = -1, turn = 0 } = marker;
      if (applied >= source.floor && turn >= source.turn) return result;
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

/** What a query answers at once: the marker, which comes first, and others. Leaves nothing open on the server. */
async function firstReply(
  cursor: FindCursor<Found>,
): Promise<{ marker: Found | undefined; documents: Found[]; isLast: boolean }> {
  try {
    const marker = (await cursor.next()) ?? undefined;
    const documents = cursor.readBufferedDocuments();
    return { marker, documents, isLast: cursor.id === undefined || cursor.id.isZero() };
  } finally {
    await cursor.close();
  }
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
