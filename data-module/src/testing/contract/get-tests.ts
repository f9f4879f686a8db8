import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { once } from 'node:events';
import { sleep } from '@zenko-modules/common/deadline';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { digestOf, generatedBuffer, generatedBytes } from '../generated-bytes.js';
import { CatalogueError } from '@zenko-modules/common/errors';
import { type OpenBlob, SMALL_BYTES } from '../../data-store.js';
import { rejectsWith, type LayeredStoreUnderTest, type StoreContract } from './harness.js';

const MiB = 1024 * 1024;
const UNKNOWN_KEY = 'ffffffffffffffffffffffffffffffffffffffff';

type Body = (t: TestContext, under: LayeredStoreUnderTest, contract: StoreContract) => Promise<void>;

export const GET_TESTS: Readonly<Record<string, Body>> = {
  'a range is exactly its bytes, at every boundary': async (t, { store }, { boundaries = [] }) => {
    const random = seededRandom(t);
    const size = Math.max(MiB + 17, ...boundaries.map(b => 2 * b + 17));
    const bytes = await generatedBuffer(random.seed, size);
    const key = await store.put(generatedBytes(random.seed, size), size);
    const edges = [64 * 1024, ...boundaries].flatMap(b => [
      { start: b - 1, end: b - 1 },
      { start: b, end: b },
      { start: b - 1, end: b },
      { start: 0, end: b - 1 },
      { start: b, end: Math.min(2 * b, size) - 1 },
      { start: b - 1, end: Math.min(2 * b + 1, size) - 1 },
    ]);
    const drawn = Array.from({ length: 10 }, () => {
      const start = random.integer(0, size - 1);
      return { start, end: random.integer(start, size - 1) };
    });
    const ends = [
      { start: 0, end: 0 },
      { start: size - 1, end: size - 1 },
      { start: 0, end: size - 1 },
    ];
    for (const { start, end } of [...ends, ...edges, ...drawn]) {
      const got = await buffer(await store.get(key, { start, end }));
      assert.ok(got.equals(bytes.subarray(start, end + 1)), `bytes ${start} to ${end}`);
    }
  },

  'an empty blob is a stream that ends at once': async (_t, { store }) => {
    const key = await store.put(Readable.from([]), 0);
    assert.equal(await store.stat(key), 0);
    assert.equal((await buffer(await store.get(key))).length, 0);
  },

  'opened, a blob tells its size, and gives the part that is chosen then': async (t, { store }) => {
    const random = seededRandom(t);
    for (const size of [0, 1, SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1, MiB + 17]) {
      const bytes = await generatedBuffer(random.seed, size);
      const key = await store.put(generatedBytes(random.seed, size), size);
      const last = random.integer(0, Math.max(0, size - 1));
      const ranges = [
        undefined,
        ...(size === 0
          ? []
          : [
              { start: 0, end: size - 1 },
              { start: last, end: last },
            ]),
      ];
      for (const range of ranges) {
        const blob = await store.open(key, told => {
          assert.equal(told, size);
          return range;
        });
        const want = bytes.subarray(range?.start ?? 0, range === undefined ? size : range.end + 1);
        assert.equal(blob.size, size);
        assert.deepEqual(blob.range, range);
        assert.ok(blob.bytes === undefined || blob.bytes.equals(want));
        assert.ok(blob.bytes === undefined || want.length <= SMALL_BYTES);
        assert.ok(want.equals(await allOf(blob)), `${size} bytes`);
        blob.close();
        blob.close();
      }
    }
    const key = await store.put(generatedBytes(random.seed, 10), 10);
    const refusal = (): never => {
      throw new CatalogueError('InvalidRange');
    };
    await rejectsWith(store.open(key, refusal), 'InvalidRange');
    await rejectsWith(
      store.open(UNKNOWN_KEY, () => undefined),
      'ObjNotFound',
    );
  },

  'a blob that is closed half-way, or while it is read, harms nobody': async (t, { store }) => {
    const { seed } = seededRandom(t);
    const size = 4 * MiB;
    const key = await store.put(generatedBytes(seed, size), size);
    for (let i = 0; i < 20; i += 1) {
      const blob = await store.open(key, () => undefined);
      if (i % 3 > 0) await blob.next();
      const next = i % 3 > 1 ? blob.next() : Promise.resolve();
      blob.close();
      await Promise.allSettled([next]);
    }
    const blob = await store.open(key, () => undefined);
    assert.ok((await generatedBuffer(seed, size)).equals(await allOf(blob)));
    blob.close();
  },

  'readers at the same time each get every byte': async (t, { store }) => {
    const { seed } = seededRandom(t);
    const size = 3 * MiB + 1;
    const key = await store.put(generatedBytes(seed, size), size);
    const want = await digestOf(generatedBytes(seed, size));
    const got = await Promise.all(Array.from({ length: 8 }, async () => digestOf(await store.get(key))));
    for (const digest of got) assert.deepEqual(digest, want);
  },

  'a slow reader gets every byte': async (t, { store }) => {
    const { seed } = seededRandom(t);
    const size = 4 * MiB;
    const key = await store.put(generatedBytes(seed, size), size);
    const pieces: Buffer[] = [];
    for await (const piece of await store.get(key)) {
      pieces.push(piece as Buffer);
      if (pieces.length % 8 === 0) await sleep(5);
    }
    assert.deepEqual(await digestOf(Readable.from(pieces)), await digestOf(generatedBytes(seed, size)));
  },

  'readers that stop half-way, or never begin, harm nobody': async (t, { store }) => {
    const { seed } = seededRandom(t);
    const size = 8 * MiB;
    const key = await store.put(generatedBytes(seed, size), size);
    for (let i = 0; i < 20; i += 1) {
      const stream = await store.get(key);
      if (i % 2 === 0) await once(stream, 'readable');
      const closed = once(stream, 'close');
      stream.destroy();
      await closed;
    }
    assert.deepEqual(await digestOf(await store.get(key)), await digestOf(generatedBytes(seed, size)));
  },

  'a key that names no blob is ObjNotFound': async (_t, { store }) => {
    for (const key of [UNKNOWN_KEY, 'ffff', '0', 'a'.repeat(300)]) {
      await rejectsWith(store.stat(key), 'ObjNotFound');
      await rejectsWith(store.get(key), 'ObjNotFound');
      await rejectsWith(store.delete(key), 'ObjNotFound');
    }
  },
};

async function allOf(blob: OpenBlob): Promise<Buffer> {
  const pieces: Buffer[] = [];
  // A piece is valid only until the next is asked for.
  for (let piece = await blob.next(); piece !== undefined; piece = await blob.next())
    pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}
