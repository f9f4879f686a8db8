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

/**
 * Blobs, and parts of blobs, up to this many bytes may be handled as one buffer. Whatever is larger goes in pieces: no
 * blob that may be large is ever one buffer or one string.
 */
export const SMALL_BYTES = 64 * 1024;

/** What a blob was when it came in. */
export interface BlobChecksum {
  /** In bytes. */
  readonly length: number;
  /** CRC-32C of all bytes. */
  readonly checksum: number;
}

export interface CheckedKey {
  readonly key: string;
  /**
   * The blob is whole when it is one of these. None: the store does not know, as of blobs that others have put there.
   * `undefined`: the store compares with each read.
   */
  readonly checksums: readonly BlobChecksum[] | undefined;
}

/** Names the part that is wanted, once the size is known; `undefined` for all. An error that it throws rejects the call. */
export type ChooseRange = (size: number) => ByteRange | undefined;

/** A blob that is being read. Whoever was given it calls `close` when done, also after an error. */
export interface OpenBlob {
  /** Of the whole blob, in bytes. */
  readonly size: number;
  /** The part that was chosen; `undefined`: all of it. */
  readonly range: ByteRange | undefined;
  /** All that was chosen, when that is at most `SMALL_BYTES` and the store has it at hand. Then `next` need not be called. */
  readonly bytes: Buffer | undefined;
  /**
   * Resolves with the next piece of what was chosen, `undefined` when every byte has been given. The piece is valid until
   * the next call. Rejects when the rest cannot be read: what was given before is right, but not all.
   */
  next(): Promise<Buffer | undefined>;
  /** Frees all that it holds. May be called again, and while a `next` is under way, which then rejects. */
  close(): void;
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

  /**
   * Optional: a quicker `put` for a whole blob of at most `SMALL_BYTES`, with the same promises. `bytes` stays as it is
   * until the call has settled. Without it small blobs come through `put`.
   */
  putSmall?(bytes: Buffer): Promise<string>;

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

  /**
   * Optional: `stat` and `get` in one go, with the same promises, for stores that need not look twice. Without it the
   * two are called.
   */
  open?(key: string, choose: ChooseRange): Promise<OpenBlob>;

  /** Optional: `open` of the whole blob past all memory of the store's own, to see what is stored. Without it `open` is called. */
  openPastCache?(key: string): Promise<OpenBlob>;

  /** Resolves when the blob is gone for good. `ObjNotFound` when there was none, such as the second time. */
  delete(key: string): Promise<void>;

  /**
   * Optional: the key of every blob, in no order, a bounded number of them in memory. What is put or deleted meanwhile may
   * be among them or not. Without it blobs that nothing refers to cannot be found.
   */
  keys?(): AsyncIterable<string>;

  /**
   * Optional, with `keys`: the same in the same order, with the checksums that the store keeps but does not compare when a
   * blob is read: the background scrub and `data:copy` compare them. Without it each read is taken to compare all that can be.
   */
  checkedKeys?(): AsyncIterable<CheckedKey>;

  /**
   * Optional, with `keys`: when the blob was stored, or later, in milliseconds since the epoch. `ObjNotFound` when there
   * is none of this key.
   */
  storedAt?(key: string): Promise<number>;

  diskUsage(): Promise<DiskUsage>;

  /** Resolves when a `put` could succeed now; otherwise rejects with the reason, for the readiness probe. */
  ping(): Promise<void>;

  /**
   * Resolves when everything that the store opened is closed. May be called again, with the same result.
   * Calls made after it reject with `ServiceUnavailable`.
   */
  close(): Promise<void>;
}

/** A store that blobs can be copied from and into, keys kept: `data:copy`. */
export interface MovableStore extends DataStore {
  keys(): AsyncIterable<string>;

  /** `put` under a key that the blob has already, in another store or from an earlier time. A blob of that key is replaced. */
  putAs(key: string, source: Readable, size: number): Promise<void>;
}
