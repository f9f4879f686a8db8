import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { Registry } from 'prom-client';
import { openPackedStore } from './packed-store.js';
import { ReadCache } from './read-cache.js';
import { packedOptions } from './testing/packed-options.js';

const CACHE_BYTES = 64 * 1024;

test('what is found is what was added for this place, and the newest that fit are found', t => {
  const random = seededRandom(t);
  const cache = new ReadCache(CACHE_BYTES);
  const added = new Map<string, { segment: number; offset: number; length: number; data: Buffer }>();
  let hits = 0;
  for (let step = 0; step < 20_000; step += 1) {
    const key = String(random.integer(0, 300));
    const before = added.get(key);
    if (random.integer(0, 1) === 0) {
      const data = Buffer.alloc(
        random.integer(0, 20) === 0 ? random.integer(0, 70_000) : random.integer(0, 900),
      );
      data.fill(random.integer(1, 255));
      const place = { segment: step + 1, offset: 32, length: data.length };
      cache.add(key, place, data);
      added.set(key, { ...place, data });
      if (data.length <= CACHE_BYTES) assert.ok(cache.get(key, place)?.equals(data), `step ${step}`);
    } else if (before !== undefined) {
      assert.equal(cache.get(key, { ...before, offset: 40 }), undefined, 'another place');
      const found = cache.get(key, before);
      if (found === undefined) continue;
      hits += 1;
      assert.ok(found.equals(before.data), `step ${step}`);
    }
  }
  assert.ok(hits > 500, `${hits} hits`);
});

test('what was given stays as it is when its place in the cache is taken', () => {
  const cache = new ReadCache(1024);
  const place = { segment: 1, offset: 32, length: 1024 };
  cache.add('a', place, Buffer.alloc(1024, 'a'));
  const given = cache.get('a', place);
  cache.add('b', place, Buffer.alloc(1024, 'b'));
  assert.ok(given?.equals(Buffer.alloc(1024, 'a')));
  assert.equal(cache.get('a', place), undefined);
});

test('a cache without bytes holds nothing', () => {
  const cache = new ReadCache(0);
  const place = { segment: 1, offset: 32, length: 0 };
  cache.add('a', place, Buffer.alloc(0));
  assert.equal(cache.get('a', place), undefined);
});

test('the store reads a blob from the disk once, and again when compaction has moved it', async t => {
  const registry = new Registry();
  const options = packedOptions({ PACKED_SEGMENT_BYTES: 4096, PACKED_COMPACT_PERCENT: 1 });
  const store = await openPackedStore(await temporaryFolder(t), options, silentLogger(), registry);
  const put = (fill: string): Promise<string> => store.put(Readable.from([Buffer.alloc(1000, fill)]), 1000);
  const kept = await put('k');
  const deleted = await put('d');
  for (let i = 0; i < 10; i += 1) await put('x');
  const read = async (): Promise<unknown> => {
    assert.ok((await buffer(await store.get(kept))).equals(Buffer.alloc(1000, 'k')));
    const { values = [] } = (await registry.getSingleMetric('data_packed_reads_total')?.get()) ?? {};
    return Object.fromEntries(values.map(({ labels, value }) => [labels['source'], value]));
  };
  assert.deepEqual(await read(), { disk: 1 });
  assert.deepEqual(await read(), { disk: 1, cache: 1 });
  await store.delete(deleted);
  await store.compact();
  assert.deepEqual(await read(), { disk: 2, cache: 1 });
  assert.deepEqual(await read(), { disk: 2, cache: 2 });
  await store.close();
});
