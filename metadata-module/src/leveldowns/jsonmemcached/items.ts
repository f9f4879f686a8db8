/** Items in memcached under one name, with errors in the words of a LevelDOWN. */
import { messageOf } from '@zenko-modules/common/errors';
import type { MemcachedClient } from '@zenko-modules/common/memcached/memcached-client';
import { MemcachedError } from '@zenko-modules/common/memcached/memcached-error';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';

/** The most that one item holds: less than the 1 MiB that a server takes, and what memjs receives in little time. */
export const ITEM_BYTES = 262_144;
/** Items on their way at once where the order does not matter. */
const WINDOW = 8;
/** A process that dies meanwhile leaves trials behind. */
const TRIAL_EXPIRES_S = 30;
const TRIAL = Buffer.alloc(ITEM_BYTES);

export class Items {
  readonly #client: MemcachedClient;

  constructor(client: MemcachedClient) {
    this.#client = client;
  }

  find(key: string): Promise<Buffer | undefined> {
    return named(() => this.#client.get(key));
  }

  /** @throws LevelError `corrupt` naming the item when it is not there. */
  async need(key: string): Promise<Buffer> {
    const value = await this.find(key);
    if (value === undefined) throw new LevelError(LEVEL_ERRORS.corrupt, this.missing(key));
    return value;
  }

  /** What is to be said of an item that should be there. */
  missing(key: string): string {
    const server = this.#client.servers[this.#client.serverOf(key)] ?? '';
    return `the memcached item "${key}" is missing on ${server}: it was evicted, or the server was restarted`;
  }

  set(key: string, value: Buffer): Promise<void> {
    return named(async () => {
      await this.#client.set(key, value);
    });
  }

  /** False when the item is there already. After `unavailable` it may have been stored. */
  add(key: string, value: Buffer): Promise<boolean> {
    return named(() => this.#client.add(key, value));
  }

  /** False when there is none. A server that is full keeps the old one. */
  replace(key: string, value: Buffer): Promise<boolean> {
    return named(() => this.#client.replace(key, value));
  }

  /** Whether the item is there; it counts as used then, and is evicted last. */
  touch(key: string): Promise<boolean> {
    return named(() => this.#client.touch(key, 0));
  }

  /**
   * Stores items of these sizes for a moment, all at once, each on the server on which its key lies.
   * @throws LevelError `unavailable` when a server has no room for one
   */
  async tryRoom(sizes: ReadonlyMap<string, number>): Promise<void> {
    const trials = [...sizes].map(([key, bytes]) => ({
      key: `${key}:trial`,
      server: this.#client.serverOf(key),
      bytes,
    }));
    const options = { expiresInSeconds: TRIAL_EXPIRES_S };
    try {
      await forAll(trials, ({ key, server, bytes }) =>
        named(async () => {
          await this.#client.set(key, TRIAL.subarray(0, bytes), options, server);
        }),
      );
    } finally {
      // What cannot be deleted expires.
      const removal = forAll(trials, async ({ key, server }) => {
        await this.#client.delete(key, server);
      });
      await removal.catch(() => undefined);
    }
  }

  /** Resolves with whether any of them was there. */
  async delete(keys: Iterable<string>): Promise<boolean> {
    let any = false;
    for await (const found of windowed(keys, key => named(() => this.#client.delete(key)))) any ||= found;
    return any;
  }

  /** The items in the order of the keys, some at a time on their way. @throws LevelError `corrupt` for a missing one. */
  read(keys: Iterable<string>): AsyncGenerator<Buffer> {
    return windowed(keys, key => this.need(key));
  }
}

/** The results of `run` in the order of the inputs, a few of them under way at once. */
export async function* windowed<I, O>(
  inputs: Iterable<I> | AsyncIterable<I>,
  run: (input: I) => Promise<O>,
): AsyncGenerator<O> {
  const underWay: Promise<O>[] = [];
  try {
    for await (const input of inputs) {
      underWay.push(run(input));
      if (underWay.length >= WINDOW) yield (await underWay.shift()) as O;
    }
    while (underWay.length > 0) yield (await underWay.shift()) as O;
  } finally {
    await Promise.allSettled(underWay);
  }
}

/** The same for what gives no results. */
export async function forAll<I>(
  inputs: Iterable<I> | AsyncIterable<I>,
  run: (input: I) => Promise<void>,
): Promise<void> {
  const results = windowed(inputs, run);
  while ((await results.next()).done !== true);
}

async function named<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (err) {
    if (!(err instanceof MemcachedError)) throw err;
    const code = err.code === 'CORRUPT' ? LEVEL_ERRORS.corrupt : LEVEL_ERRORS.unavailable;
    const hint = err.code === 'TOO_LARGE' ? ` (an item of ${ITEM_BYTES} bytes must fit: see its -I)` : '';
    throw new LevelError(code, messageOf(err) + hint, { cause: err });
  }
}
