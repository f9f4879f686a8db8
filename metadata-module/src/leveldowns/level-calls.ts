/** The calls of an abstract-leveldown store as promises, with keys and values as bytes. */
import type { AbstractBatch, AbstractIteratorOptions, AbstractLevelDOWN } from 'abstract-leveldown';

export interface ByteEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export type ByteOperation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer };

export interface OpenOptions {
  readonly createIfMissing?: boolean;
  readonly errorIfExists?: boolean;
}

type Done = (err?: Error | null) => void;

export function openLevel(level: AbstractLevelDOWN, options: OpenOptions = {}): Promise<void> {
  return call(done => level.open({ ...options }, done));
}

export function closeLevel(level: AbstractLevelDOWN): Promise<void> {
  return call(done => level.close(done));
}

/** All or nothing, and on stable storage when it resolves unless `sync` is false. */
export function writeBatch(
  level: AbstractLevelDOWN,
  operations: readonly AbstractBatch<Buffer | string, Buffer | string>[],
  sync = true,
): Promise<void> {
  return call(done => void level.batch(operations, { sync }, done));
}

/** The value under `key`, or `undefined`. */
export function getValue(level: AbstractLevelDOWN, key: Buffer | string): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    level.get(key, (err: Error | null | undefined, value: unknown) => {
      if (!err) resolve(value as Buffer);
      else if (isNotFound(err)) resolve(undefined);
      else reject(err);
    });
  });
}

/** The entries of a range in byte order. Rejects when the store is closed before all were read. */
export async function* readEntries(
  level: AbstractLevelDOWN,
  range: AbstractIteratorOptions<Buffer | string> = {},
): AsyncGenerator<ByteEntry, undefined> {
  const iterator = level.iterator(range);
  try {
    for (;;) {
      const entry = await new Promise<ByteEntry | undefined>((resolve, reject) => {
        iterator.next((err: Error | null | undefined, key: unknown, value: unknown) => {
          if (err) reject(err);
          else resolve(key === undefined ? undefined : { key: key as Buffer, value: value as Buffer });
        });
      });
      if (entry === undefined) return;
      yield entry;
    }
  } finally {
    const ended = call(done => iterator.end(done));
    // A store that was closed has ended its iterators by itself, and leveldown never says so.
    if (level.status === 'open') await ended;
    else ended.catch(() => undefined);
  }
}

/** Whether a `get` failed because there is no such key. */
export function isNotFound(err: unknown): boolean {
  return err instanceof Error && ('notFound' in err || /^not\s?found/i.test(err.message));
}

/** Resolves when the callback that `start` hands on is called without an error. */
export function call(start: (done: Done) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start(err => {
      if (err) reject(err);
      else resolve();
    });
  });
}
