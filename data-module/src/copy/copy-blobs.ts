/** Copies blobs from one store into another, under their keys. */
import { createHash } from 'node:crypto';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CatalogueError, isErrorType, messageOf } from '@zenko-modules/common/errors';
import type { DataStore, MovableStore } from '../data-store.js';

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
 * meanwhile may be there.
 * @throws the reason of `signal`, and what listing the source fails with.
 */
export async function copyBlobs(options: CopyOptions): Promise<CopyCounts> {
  const { from, concurrency, signal, onBlob, onFailure } = options;
  const counts: CopyCounts = { copied: 0, present: 0, failed: 0, bytes: 0 };
  const keys = from.keys()[Symbol.asyncIterator]();
  const worker = async (): Promise<void> => {
    for (;;) {
      signal.throwIfAborted();
      const next = await keys.next();
      if (next.done === true) return;
      const key = next.value;
      try {
        await copyBlob(options, key, counts);
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

async function copyBlob({ from, to, verify }: CopyOptions, key: string, counts: CopyCounts): Promise<void> {
  const size = await from.stat(key);
  if ((await sizeIn(to, key)) === size) {
    if (verify) await compare(await digestOf(from, key), to, key);
    counts.present += 1;
    return;
  }
  const hash = createHash('sha256');
  const source = await from.get(key);
  const hashed = new PassThrough({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await Promise.all([pipeline(source, hashed), to.putAs(key, hashed, size)]);
  try {
    await compare(hash.digest('hex'), to, key);
  } catch (err) {
    await to.delete(key);
    throw err;
  }
  counts.copied += 1;
  counts.bytes += size;
}

async function compare(expected: string, store: DataStore, key: string): Promise<void> {
  if ((await digestOf(store, key)) !== expected)
    throw new CatalogueError('InternalError', 'the target answers other bytes than the source');
}

async function digestOf(store: DataStore, key: string): Promise<string> {
  const hash = createHash('sha256');
  const blob: Readable = await store.get(key);
  for await (const chunk of blob as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
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
