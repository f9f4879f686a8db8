/**
 * Removes chunks that belong to no file: those of uploads that a module was killed over, and of deletions that came
 * half-way. Those of other modules' uploads that are under way belong to none either, and are left alone: an upload takes
 * `GRIDFS_UPLOAD_MS` and one call at most, and only chunks that are twice as old go. Clocks may so differ by the rest.
 */
import { orAborted } from '@zenko-modules/common/abort';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { sleep } from '@zenko-modules/common/deadline';
import { ObjectId } from 'mongodb';
import { Repeated } from '../repeated.js';
import { BLOB_KEY } from './documents.js';
import type { GridFsCollections } from './gridfs-collections.js';

const LONGEST_PAUSE_MS = 24 * 3_600_000;
const PAGE = 1000;

export interface OrphanSweepOptions {
  readonly collections: GridFsCollections;
  readonly uploadMs: number;
  readonly log: Logger;
}

/** Begins at once, and is done again now and then until it is closed. */
export function sweepOrphans(options: OrphanSweepOptions): Repeated {
  const pauseMs = Math.min(LONGEST_PAUSE_MS, options.uploadMs);
  return new Repeated(pauseMs, async signal => {
    try {
      // Its last call ends with the collections, which are closed next.
      await orAborted(sweepOnce(options, signal), signal);
    } catch (err) {
      options.log.warn({ err, reason: messageOf(err) }, 'chunks without a file cannot be swept; later again');
    }
  });
}

/** Goes through the index of the chunks, a page at a time, and rests as long as each page took. */
async function sweepOnce(
  { collections, uploadMs, log }: OrphanSweepOptions,
  signal: AbortSignal,
): Promise<void> {
  await collections.ensureIndexes();
  for (let last = ''; !signal.aborted;) {
    const begun = performance.now();
    const owners = await pageOfOwners(collections, last);
    const next = owners.at(-1);
    if (next === undefined) return;
    last = next;
    // Taken before the files are looked for: what becomes a file after that look has later chunks.
    const cutoff = idMadeBefore(Date.now() - 2 * uploadMs);
    for (const key of await withoutFile(collections, owners)) {
      signal.throwIfAborted();
      if (!BLOB_KEY.test(key) || !(await isOld(collections, key, cutoff))) continue;
      // Under a key that is given, as by a copy that is resumed, new chunks may come meanwhile.
      const { deletedCount } = await collections.call(() =>
        collections.chunks.deleteMany({ files_id: key, _id: { $lt: cutoff } }),
      );
      log.warn({ blob: key, chunks: deletedCount }, 'chunks that belonged to no file were removed');
    }
    await sleep(performance.now() - begun, signal);
  }
}

/** The next keys that chunks name, in order. Read off the index alone. */
async function pageOfOwners(collections: GridFsCollections, after: string): Promise<string[]> {
  const found = await collections.call(() =>
    collections.chunks
      .find({ files_id: { $gt: after } }, { projection: { _id: 0, files_id: 1 } })
      .sort({ files_id: 1, n: 1 })
      .limit(PAGE)
      .toArray(),
  );
  return [...new Set(found.map(({ files_id }) => files_id))];
}

async function withoutFile(collections: GridFsCollections, keys: readonly string[]): Promise<string[]> {
  const found = await collections.call(() =>
    collections.files.find({ _id: { $in: [...keys] } }, { projection: { _id: 1 } }).toArray(),
  );
  const known = new Set(found.map(({ _id }) => _id));
  return keys.filter(key => !known.has(key));
}

/** Greater than the id of every chunk that was made a second before, and than of none that was made after. */
function idMadeBefore(ms: number): ObjectId {
  return ObjectId.createFromTime(Math.max(0, Math.floor(ms / 1000)));
}

/** By the first of its chunks that is there. */
async function isOld(collections: GridFsCollections, key: string, cutoff: ObjectId): Promise<boolean> {
  const [first] = await collections.call(() =>
    collections.chunks
      .find({ files_id: key }, { projection: { _id: 1 } })
      .sort({ n: 1 })
      .limit(1)
      .toArray(),
  );
  return first !== undefined && first._id.getTimestamp() < cutoff.getTimestamp();
}
