/**
 * What a blob store promises. The REST server, every store and the layer over it (`stores/store-layer.ts`), and the
 * contract suite (`testing/store-contract.ts`) meet in this file. A store is only ever used through its layer, which
 * keeps a part of the promises for it; STORES.md says which.
 *
 * Blobs are immutable: a key names the same bytes from the moment `put` resolves until `delete`, and is
 * never given to another blob. Every method may be called concurrently with every other.
 *
 * Every rejection is a `CatalogueError`, of the types named at each method. Beyond these, any method may
 * reject with `ServiceUnavailable` (the backend cannot be reached, is full, or did not answer within the
 * store's deadline; also: the store has been closed), `SlowDown` (too much at once) or `InternalError`
 * (what is stored is damaged, or the backend failed in a way that has no name).
 */
import type { Readable } from 'node:stream';

/** Bytes `start` to `end`, both included, counted from 0. The caller has checked it: 0 <= start <= end < size. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** In bytes. `available` is what this process may still use, `free` what nobody uses. */
export interface DiskUsage {
  readonly available: number;
  readonly free: number;
  readonly total: number;
}

export interface DataStore {
  /**
   * Stores exactly `size` bytes of `source` and resolves with a new key of 40 lower-case hex digits. When it
   * resolves, the blob is complete and on the most stable storage that the backend has; before that, and
   * after a rejection, no part of it can be read, and nothing of it remains once the backend can be reached.
   *
   * The store reads `source` no faster than it can write, holds a bounded part of it in memory, and
   * destroys it when the put fails. An error of `source` rejects the put with that error if it is a
   * `CatalogueError`. Rejects with `IncompleteBody` when `source` ends early, `InvalidInput` when it goes on
   * after `size` bytes.
   */
  put(source: Readable, size: number): Promise<string>;

  /** Resolves with the blob's size in bytes. `ObjNotFound` when there is none of this key. */
  stat(key: string): Promise<number>;

  /**
   * Resolves with a stream of the blob's bytes, or of `range`. What is known to be wrong before the first
   * byte rejects: `ObjNotFound` when there is no such blob, `InternalError` when it is damaged. What goes
   * wrong later destroys the stream with an error: a stream that ends has given every byte asked for, and
   * never any other. The stream reads ahead a bounded amount; whoever destroys it frees all it holds.
   * A blob that is deleted while it is read is either read to its end, or the stream fails.
   */
  get(key: string, range?: ByteRange): Promise<Readable>;

  /** Resolves when the blob is gone for good. `ObjNotFound` when there was none, such as the second time. */
  delete(key: string): Promise<void>;

  diskUsage(): Promise<DiskUsage>;

  /** Resolves when a `put` could succeed now; otherwise rejects with the reason, for the readiness probe. */
  ping(): Promise<void>;

  /**
   * Resolves when everything that the store opened is closed. May be called again, with the same result.
   * Calls made after it reject with `ServiceUnavailable`.
   */
  close(): Promise<void>;
}
