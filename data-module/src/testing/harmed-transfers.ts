/**
 * Whole transfers while connections to the backend break in every way and at every step: right bytes, an error of the
 * catalogue, or a cut; nothing else. And when all is well again every blob is there, and nothing besides.
 */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import { seededRandom } from '@zenko-modules/common/testing/random';
import type { Harm, TcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import type { DataStore } from '../data-store.js';
import { digestOf, generatedBytes } from './generated-bytes.js';

export interface HarmedStore {
  readonly store: DataStore;
  /** Between the store and its backend. */
  readonly proxy: TcpProxy;
  /** Asserts that the backend comes to hold these blobs, by the sizes, and nothing besides. */
  readonly holdsOnly: (blobs: ReadonlyMap<string, number>) => Promise<void>;
}

export interface HarmedTransfersOptions {
  readonly name: string;
  readonly skip: string | false;
  /** Of the largest blob. Harm comes within as many bytes of a connection, and a few more. */
  readonly maxBytes: number;
  readonly open: (t: TestContext) => Promise<HarmedStore>;
}

/** With how many rounds of each: a stall costs its deadline. */
const ROUNDS: readonly (readonly [Harm, number])[] = [
  ['reset', 25],
  ['close', 25],
  ['stall', 8],
];

/** Fewer connections that were harmed say nothing: there are further rounds then, up to so many times as many. */
const LEAST_HARM = 3;
const MOST = 5;

interface Blob {
  readonly seed: number;
  readonly size: number;
}

export function testHarmedTransfers({ name, skip, maxBytes, open }: HarmedTransfersOptions): void {
  for (const [harm, rounds] of ROUNDS) {
    test(`${name}: transfers while connections ${harm}`, { skip, timeout: 180_000 }, async t => {
      const random = seededRandom(t);
      const { store, proxy, holdsOnly } = await open(t);
      const stored = new Map<string, Blob>();
      const outcomes = { whole: 0, failed: 0 };

      const upload = async (seed: number): Promise<void> => {
        const size = random.integer(0, maxBytes);
        stored.set(await store.put(generatedBytes(seed, size), size), { seed, size });
      };
      const read = async ([key, blob]: [string, Blob]): Promise<void> => {
        if (!(await isWhole(store, key, blob))) throw new WrongBytes(key);
      };
      const remove = async ([key]: [string, Blob]): Promise<void> => {
        stored.delete(key);
        // Whether one that failed is gone is open; when asked again it is.
        for (;;) {
          try {
            await store.delete(key);
            return;
          } catch (err) {
            if (isErrorType(err, 'ObjNotFound')) return;
            if (!(err instanceof CatalogueError)) throw err;
            outcomes.failed += 1;
          }
        }
      };

      const isEnough = (): boolean => proxy.harmed() > LEAST_HARM && outcomes.whole > 0;
      // Where harm is to come is random: beyond the last byte of a connection there is none.
      for (let round = 0; round < rounds || (!isEnough() && round < MOST * rounds); round += 1) {
        const of = random.integer(0, 1) === 0 ? 'answers' : 'requests';
        const afterBytes = random.integer(0, random.integer(0, 3) === 0 ? 2000 : maxBytes + 2000);
        proxy.arm({ harm, of, afterBytes, times: random.integer(1, 3) });
        const known = [...stored];
        const readers = known.slice(-3).map(read);
        const work = [upload(random.seed + 2 * round), upload(random.seed + 2 * round + 1), ...readers];
        if (known.length > 6 && known[0] !== undefined) work.push(remove(known[0]));
        for (const result of await Promise.allSettled(work)) {
          if (result.status === 'fulfilled') outcomes.whole += 1;
          else {
            outcomes.failed += 1;
            assert.ok(result.reason instanceof CatalogueError, String(result.reason));
            assert.ok(
              isErrorType(result.reason, 'ServiceUnavailable', 'SlowDown', 'InternalError'),
              `${result.reason.type}: ${result.reason.message}`,
            );
          }
        }
      }
      t.diagnostic(`${outcomes.whole} whole, ${outcomes.failed} failed, ${proxy.harmed()} times harmed`);
      assert.ok(isEnough());

      proxy.arm({ harm, afterBytes: 0, times: 0 });
      for (const [key, blob] of stored) assert.ok(await isWhole(store, key, blob), key);
      await holdsOnly(new Map([...stored].map(([key, { size }]) => [key, size])));
    });
  }
}

async function isWhole(store: DataStore, key: string, { seed, size }: Blob): Promise<boolean> {
  const { sha256 } = await digestOf(await store.get(key));
  return sha256 === (await digestOf(generatedBytes(seed, size))).sha256;
}

/** Many times what it takes on an idle machine. */
const EVENTUALLY_MS = 3 * 60_000;

/** Until `holds`, for three minutes at most. */
export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + EVENTUALLY_MS;
  let failure: unknown;
  const isSo = (): Promise<boolean> =>
    holds().catch((err: unknown) => {
      failure = err;
      return false;
    });
  while (!(await isSo())) {
    if (Date.now() >= deadline) throw new Error(`not within three minutes: ${what}`, { cause: failure });
    await sleep(50);
  }
}

class WrongBytes extends Error {}
