import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { CatalogueError } from '@zenko-modules/common/errors';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { SMALL_BYTES } from '../../data-store.js';
import { digestOf, generatedBuffer, generatedBytes } from '../generated-bytes.js';
import { leavesNothing, rejectsWith, type LayeredStoreUnderTest, type StoreContract } from './harness.js';

const KiB = 1024;
const MiB = 1024 * KiB;

type Body = (t: TestContext, under: LayeredStoreUnderTest, contract: StoreContract) => Promise<void>;

export const PUT_TESTS: Readonly<Record<string, Body>> = {
  'a blob of any size comes back whole': async (t, { store }, { boundaries = [] }) => {
    const { seed } = seededRandom(t);
    const around = boundaries.flatMap(size => [size - 1, size, size + 1]);
    for (const size of [0, 1, 64 * KiB - 1, 64 * KiB, 64 * KiB + 1, 5 * MiB + 3, ...around]) {
      const key = await store.put(generatedBytes(seed, size), size);
      assert.equal(await store.stat(key), size);
      assert.deepEqual(
        await digestOf(await store.get(key)),
        await digestOf(generatedBytes(seed, size)),
        `${size} bytes`,
      );
    }
  },

  'a large blob comes back with the same checksum': async (t, { store }, { largeBytes = 64 * MiB }) => {
    const { seed } = seededRandom(t);
    const key = await store.put(generatedBytes(seed, largeBytes), largeBytes);
    assert.deepEqual(await digestOf(await store.get(key)), await digestOf(generatedBytes(seed, largeBytes)));
    await store.delete(key);
  },

  'a small blob that is stored in one go is as any other': async (t, { store }) => {
    const { seed } = seededRandom(t);
    for (const size of [0, 1, 1000, SMALL_BYTES]) {
      const bytes = await generatedBuffer(seed, size);
      const key = await store.putSmall(bytes);
      assert.match(key, /^[0-9a-f]{40}$/);
      assert.equal(await store.stat(key), size);
      assert.ok(bytes.equals(await buffer(await store.get(key))), `${size} bytes`);
      await store.delete(key);
      await rejectsWith(store.stat(key), 'ObjNotFound');
    }
  },

  'a key is 40 lower-case hex digits, and the same bytes get another one': async (_t, { store }) => {
    const keys = [await store.put(Readable.from(['same']), 4), await store.put(Readable.from(['same']), 4)];
    for (const key of keys) assert.match(key, /^[0-9a-f]{40}$/);
    assert.notEqual(keys[0], keys[1]);
  },

  'many blobs stored at once are all whole': async (t, { store }) => {
    const random = seededRandom(t);
    const sizes = Array.from({ length: 24 }, () => random.integer(0, 700 * KiB));
    const keys = await Promise.all(
      sizes.map((size, i) => store.put(generatedBytes(random.seed + i, size), size)),
    );
    assert.equal(new Set(keys).size, keys.length);
    for (const [i, key] of keys.entries()) {
      const want = await digestOf(generatedBytes(random.seed + i, sizes[i] ?? 0));
      assert.deepEqual(await digestOf(await store.get(key)), want);
    }
  },

  'bytes that come in tiny pieces are put together': async (t, { store }) => {
    const { seed } = seededRandom(t);
    const bytes = await generatedBuffer(seed, 3000);
    const pieces = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
    const key = await store.put(Readable.from(pieces, { objectMode: false }), bytes.length);
    assert.ok(bytes.equals(await buffer(await store.get(key))));
  },

  'a body that ends early is refused and leaves nothing': async (t, under) => {
    const { seed } = seededRandom(t);
    await leavesNothing(t, under, async () => {
      for (const [sent, announced] of [
        [0, 1],
        [9, 10],
        [3 * MiB, 3 * MiB + 1],
        [MiB, 20 * MiB],
      ] as const) {
        const source = generatedBytes(seed, sent);
        await rejectsWith(under.store.put(source, announced), 'IncompleteBody');
        assert.ok(source.destroyed);
      }
    });
  },

  'a body that goes on too long is refused and leaves nothing': async (t, under) => {
    const { seed } = seededRandom(t);
    await leavesNothing(t, under, async () => {
      for (const [sent, announced] of [
        [1, 0],
        [11, 10],
        [3 * MiB, MiB],
      ] as const) {
        const source = generatedBytes(seed, sent);
        await rejectsWith(under.store.put(source, announced), 'InvalidInput');
        assert.ok(source.destroyed);
      }
    });
  },

  'a source that fails half-way fails the put with its error and leaves nothing': async (t, under) => {
    await leavesNothing(t, under, async () => {
      const failure = new CatalogueError('SlowDown', 'the source failed');
      const source = failingSource(2 * MiB, failure);
      await rejectsWith(under.store.put(source, 4 * MiB), 'SlowDown');
      assert.ok(source.destroyed);
    });
  },

  'an error of a source that is not of the catalogue is turned into one': async (t, under) => {
    await leavesNothing(t, under, async () => {
      await rejectsWith(under.store.put(failingSource(10, new Error('boom')), 20), 'InternalError');
    });
  },

  'a source that has failed before the put is refused and leaves nothing': async (t, under) => {
    await leavesNothing(t, under, async () => {
      const source = failingSource(0, new CatalogueError('IncompleteBody'));
      source.on('error', () => source.destroy());
      source.destroy(new CatalogueError('IncompleteBody'));
      await rejectsWith(under.store.put(source, 20), 'IncompleteBody');
    });
  },

  'a source that is destroyed without an error fails the put and leaves nothing': async (t, under) => {
    const { seed } = seededRandom(t);
    await leavesNothing(t, under, async () => {
      const source = new PassThrough();
      generatedBytes(seed, 2 * MiB).pipe(source, { end: false });
      const put = under.store.put(source, 4 * MiB);
      setTimeout(() => source.destroy(), 50);
      await rejectsWith(put, 'IncompleteBody');
    });
  },
};

function failingSource(afterBytes: number, failure: Error): Readable {
  function* pieces(): Generator<Buffer> {
    for (let sent = 0; sent < afterBytes; sent += 64 * KiB)
      yield Buffer.alloc(Math.min(64 * KiB, afterBytes - sent));
    throw failure;
  }
  return Readable.from(pieces(), { objectMode: false });
}
