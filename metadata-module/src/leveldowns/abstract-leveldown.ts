/**
 * abstract-leveldown's base classes as an implementor sees them. The package's published types are for
 * callers: they know neither the constructors' arguments nor the methods with an underscore.
 */
import { createRequire } from 'node:module';
import type { AbstractLevelDOWN as PublicLevelDown } from 'abstract-leveldown';

/** As the caller gets it: with `undefined` or `null` for no error. */
export type Callback<A extends unknown[] = []> = (err?: Error | null, ...results: A | []) => void;

export interface Manifest {
  readonly bufferKeys: boolean;
  readonly snapshots: boolean;
  readonly permanence: boolean;
  readonly seek: boolean;
  readonly clear: boolean;
  readonly getMany: boolean;
  readonly createIfMissing: boolean;
  readonly errorIfExists: boolean;
}

/** Range options, after `_serializeKey`. */
export interface RangeOptions<K> {
  readonly gt?: K;
  readonly gte?: K;
  readonly lt?: K;
  readonly lte?: K;
  readonly reverse: boolean;
  /** None when negative. */
  readonly limit: number;
}

export interface IteratorOptions<K> extends RangeOptions<K> {
  readonly keys: boolean;
  readonly values: boolean;
  readonly keyAsBuffer: boolean;
  readonly valueAsBuffer: boolean;
  /** Bytes that an iterator may hold besides what it has handed out; any number without it. */
  readonly highWaterMark?: number;
}

export interface StoreBase extends Pick<
  PublicLevelDown,
  'open' | 'close' | 'get' | 'put' | 'del' | 'getMany' | 'batch' | 'iterator' | 'isOperational' | 'status'
> {
  readonly supports: Manifest;
  clear(callback: Callback): void;
  clear(options: object, callback: Callback): void;
}

export interface IteratorBase {
  readonly db: PublicLevelDown;
  next(callback: Callback<[key: unknown, value: unknown]>): this;
  end(callback: Callback): void;
}

interface AbstractLevelDownModule {
  /** Its methods check the arguments and call those of the same name with an underscore. */
  readonly AbstractLevelDOWN: new (manifest: Manifest) => StoreBase;
  readonly AbstractIterator: new (store: StoreBase) => IteratorBase;
}

export const { AbstractLevelDOWN, AbstractIterator } = createRequire(import.meta.url)(
  'abstract-leveldown',
) as AbstractLevelDownModule;
