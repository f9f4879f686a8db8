/** Copies blobs from one store into another, under their keys. */
import { createHash } from 'node:crypto';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32c } from '@node-rs/crc32';
import { CatalogueError, isErrorType, messageOf } from '@zenko-modules/common/errors';
import type { CheckedKey, DataStore, MovableStore } from '../data-store.js';
import { withoutChecksums } from '../stores/store-layer.js';

export interface CopyOptions {
  readonly from: MovableStore;
  readonly to: MovableStore;
  /** Blobs that are under way at once. */
  readonly concurrency: number;
  /** Reads what the target has already and compares it, instead of its size alone. */
  readonly verify: boolean;
  readonly signal: AbortSignal;
  readonly onBlob: (counts: CopyCounts) => void;
  /** Told of each blob that could not be copied. The others go on. */
  readonly onFailure: (key: string, reason: string) => void;
}

export interface CopyCounts {
  /** Copied, read back and compared. */
  copied: number;
  /** The target had them already. */
  present: number;
  failed: number;
  /** Of the blobs that were copied. */
  bytes: number;
}

/**
 * Copies every blob that the target does not have. A blob is in the target whole or not at all, so a copy that was
 * interrupted goes on when it is run again. What is put into the source meanwhile may be missing; what is deleted there
 * meanwhile may be there. A blob that is none of those whose checksums the source keeps is not copied: the target would
 * keep a checksum that fits the damage.
 * @throws the reason of `signal`, and what listing the source fails with.
 */
export async function copyBlobs(options: CopyOptions): Promise<CopyCounts> {
  const { from, concurrency, signal, onBlob, onFailure } = options;
  const counts: CopyCounts = { copied: 0, present: 0, failed: 0, bytes: 0 };
  const listed = from.checkedKeys?.() ?? withoutChecksums(from.keys());
  const keys = listed[Symbol.asyncIterator]();
  const worker = async (): Promise<void> => {
    for (;;) {
      signal.throwIfAborted();
      const next = await keys.next();
      if (next.done === true) return;
      const { key } = next.value;
      try {
        await copyBlob(options, next.value, counts);
      } catch (err) {
        // Deleted since it was listed.
        if (isErrorType(err, 'ObjNotFound') && (await isGone(from, key))) continue;
        counts.failed += 1;
        onFailure(key, messageOf(err));
      }
      onBlob(counts);
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: concurrency }, worker));
  for (const each of ended) if (each.status === 'rejected') throw each.reason;
  return counts;
}

async function copyBlob(
  { from, to, verify }: CopyOptions,
  { key, checksums }: CheckedKey,
  counts: CopyCounts,
): Promise<void> {
  const size = await from.stat(key);
  if (isKnown(checksums) && !checksums.some(({ length }) => length === size)) throw damaged();
  if ((await sizeIn(to, key)) === size) {
    if (verify) {
      const digest = await digestOf(from, key);
      digest.check(checksums);
      await compare(digest.end(), to, key);
    }
    counts.present += 1;
    return;
  }
  const source = await from.get(key);
  const digest = new BlobDigest();
  const passed = checkedOnTheWay(digest, checksums);
  const ended = await Promise.allSettled([to.putAs(key, passed, size), pipeline(source, passed)]);
  // The target may only know that its stream has broken.
  if (passed.errored instanceof CatalogueError) throw passed.errored;
  for (const each of ended) if (each.status === 'rejected') throw each.reason;
  try {
    await compare(digest.end(), to, key);
  } catch (err) {
    await to.delete(key);
    throw err;
  }
  counts.copied += 1;
  counts.bytes += size;
}

async function compare(expected: string, store: DataStore, key: string): Promise<void> {
  if ((await digestOf(store, key)).end() !== expected)
    throw new CatalogueError('InternalError', 'the target answers other bytes than the source');
}

async function digestOf(store: DataStore, key: string): Promise<BlobDigest> {
  const digest = new BlobDigest();
  const blob: Readable = await store.get(key);
  for await (const chunk of blob as AsyncIterable<Buffer>) digest.update(chunk);
  return digest;
}

/** Holds the last bytes back until all are known to be right: without them the target has nothing to keep. */
function checkedOnTheWay(digest: BlobDigest, checksums: CheckedKey['checksums']): Transform {
  let last: Buffer | undefined;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      digest.update(chunk);
      const before = last;
      last = chunk;
      done(null, before);
    },
    flush(done) {
      try {
        digest.check(checksums);
      } catch (err) {
        done(err as CatalogueError);
        return;
      }
      done(null, last);
    },
  });
}

class BlobDigest {
  readonly #hash = createHash('sha256');
  #length = 0;
  #checksum = 0;

  update(chunk: Buffer): void {
    this.#hash.update(chunk);
    this.#length += chunk.length;
    this.#checksum = crc32c(chunk, this.#checksum);
  }

  /** @throws CatalogueError `InternalError` when the bytes are none of those that are known. */
  check(checksums: CheckedKey['checksums']): void {
    if (!isKnown(checksums)) return;
    const isWhole = checksums.some(
      ({ length, checksum }) => length === this.#length && checksum === this.#checksum,
    );
    if (!isWhole) throw damaged();
  }

  /** SHA-256 of all bytes. Call it once. */
  end(): string {
    return this.#hash.digest('hex');
  }
}

function isKnown(checksums: CheckedKey['checksums']): checksums is NonNullable<CheckedKey['checksums']> {
  return checksums !== undefined && checksums.length > 0;
}

function damaged(): CatalogueError {
  return new CatalogueError(
    'InternalError',
    'the source answers other bytes than came in: bring the blob back from a copy, or delete its object',
  );
}

async function sizeIn(store: DataStore, key: string): Promise<number | undefined> {
  try {
    return await store.stat(key);
  } catch (err) {
    if (isErrorType(err, 'ObjNotFound')) return undefined;
    throw err;
  }
}

async function isGone(store: DataStore, key: string): Promise<boolean> {
  return (await sizeIn(store, key)) === undefined;
}
