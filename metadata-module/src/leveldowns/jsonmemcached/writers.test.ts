/** Other processes, and servers that do not answer or are full. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { closeLevel, openLevel } from '../level-calls.js';
import { JsonMemcached } from './json-memcached.js';
import { allKeys, assertOneGeneration } from './testing/server-items.js';
import { contents, newClient, newPlace, openedStore, put, storedIn } from './testing/stores.js';

const skip = memcachedMissing;

test('a second module in the same folder is refused', { skip }, async t => {
  const place = await newPlace(t, (await startMemcached(t)).port);
  await openedStore(t, place);
  await assert.rejects(openLevel(new JsonMemcached(place)), {
    code: 'LEVEL_FENCED',
    message: /in use by another/,
  });
});

test(
  'of two that were made to use one store, the first to write keeps it, and the other can write nothing more',
  { skip },
  async t => {
    const { port } = await startMemcached(t);
    const places = [await newPlace(t, port), { ...(await newPlace(t, port)), adopt: true }] as const;
    const first = await openedStore(t, { ...places[0], journalMinBytes: 2000 });
    await put(first, { a: '1' });
    const second = await openedStore(t, { ...places[1], journalMinBytes: 2000 });
    await put(second, { b: '2' });
    for (let number = 0; number < 3; number += 1) {
      await assert.rejects(put(first, { c: '3' }), {
        code: 'LEVEL_FENCED',
        message: /another process writes/,
      });
    }
    for (let number = 0; number < 100; number += 1) await put(second, { [`key${number}`]: 'v'.repeat(50) });
    await closeLevel(first);
    await closeLevel(second);
    const found = await storedIn(places[1]);
    assert.equal(Object.keys(found).length, 102);
    assert.equal(found.c, undefined);
  },
);

test('one whose store another process took notices it before it writes', { skip }, async t => {
  const { port } = await startMemcached(t);
  const first = await openedStore(t, await newPlace(t, port));
  await first.ping();
  await openedStore(t, { ...(await newPlace(t, port)), adopt: true });
  await assert.rejects(first.ping(), { code: 'LEVEL_FENCED' });
});

test(
  'one that slept while another wrote and took snapshots changes nothing when it wakes',
  { skip },
  async t => {
    const { port } = await startMemcached(t);
    const [one, other] = [await newPlace(t, port), { ...(await newPlace(t, port)), adopt: true }];
    const sleeper = await openedStore(t, { ...one, journalMinBytes: 1000 });
    await put(sleeper, { a: '1' });
    const awake = await openedStore(t, { ...other, journalMinBytes: 1000 });
    for (let number = 0; number < 100; number += 1) await put(awake, { [`key${number}`]: 'v'.repeat(50) });
    const writes = Array.from({ length: 50 }, (_, number) =>
      put(sleeper, { [`lost${number}`]: 'x'.repeat(50) }),
    );
    const results = await Promise.allSettled(writes);
    assert.ok(results.every(({ status }) => status === 'rejected'));
    await put(awake, { last: '1' });
    await closeLevel(awake);
    const found = await storedIn(other);
    assert.equal(Object.keys(found).length, 102);
  },
);

test(
  'while the server stands still writes fail within seconds; what failed does not come back later',
  { skip },
  async t => {
    const { port, signal } = await startMemcached(t);
    const place = await newPlace(t, port);
    const store = await openedStore(t, { ...place, deadlineMs: 200 });
    const expected: Record<string, string> = {};
    const write = async (key: string, value: string): Promise<void> => {
      await put(store, { [key]: value });
      expected[key] = value;
    };
    await write('a', '1');
    signal('SIGSTOP');
    const started = performance.now();
    const untilItFails = async (): Promise<void> => {
      // A busy machine stops it a moment after the signal.
      for (let number = 0; ; number += 1) await write('b', String(number));
    };
    await assert.rejects(untilItFails, { code: 'LEVEL_UNAVAILABLE' });
    await assert.rejects(store.ping(), { code: 'LEVEL_UNAVAILABLE' });
    await assert.rejects(contents(store), { code: 'LEVEL_UNAVAILABLE' });
    const seconds = (performance.now() - started) / 1000;
    signal('SIGCONT');
    assert.ok(seconds < 20, `${seconds} s`);
    await store.ping();
    assert.deepEqual(await contents(store), expected);
    await write('c', '3');
    await closeLevel(store);
    assert.deepEqual(await storedIn(place), expected);
  },
);

test(
  'a full server refuses writes and loses nothing, and takes writes again when there is room',
  { skip },
  async t => {
    const { port } = await startMemcached(t, { args: ['-M', '-m', '8'] });
    const place = await newPlace(t, port);
    const store = await openedStore(t, place);
    const expected: Record<string, string> = {};
    const write = async (key: string): Promise<void> => {
      await put(store, { [key]: 'v'.repeat(2000) });
      expected[key] = 'v'.repeat(2000);
    };
    await write('first');
    const client = newClient(t, port);
    let fillers = 0;
    await assert.rejects(
      async () => {
        for (; ; fillers += 1) await client.set(`filler${fillers}`, Buffer.alloc(2100));
      },
      { code: 'OUT_OF_MEMORY' },
    );
    let refusals = 0;
    for (let number = 0; number < 20; number += 1) {
      try {
        await write(`full${number}`);
      } catch (err) {
        assert.equal((err as { code?: string }).code, 'LEVEL_UNAVAILABLE', String(err));
        assert.match(String(err), /Out of memory/);
        refusals += 1;
      }
    }
    assert.ok(refusals > 0);
    assert.deepEqual(await contents(store), expected, 'what is there can be read');
    for (let number = 0; number < fillers; number += 1) await client.delete(`filler${number}`);
    await write('room');
    await closeLevel(store);
    assert.deepEqual(await storedIn(place), expected);
  },
);

test(
  'a full server is not ready, before and after it has refused a write, and is again when there is room',
  { skip },
  async t => {
    const { port } = await startMemcached(t, { args: ['-M', '-m', '8'] });
    const place = await newPlace(t, port);
    const store = await openedStore(t, place);
    await put(store, { first: 'v' });
    const client = newClient(t, port);
    const fillers: string[] = [];
    const fill = async (...sizes: readonly number[]): Promise<void> => {
      for (const size of sizes) {
        await assert.rejects(
          async () => {
            for (let number = 0; ; number += 1) {
              await client.set(`filler${size}:${number}`, Buffer.alloc(size));
              fillers.push(`filler${size}:${number}`);
            }
          },
          { code: 'OUT_OF_MEMORY' },
        );
      }
    };
    await store.ping();
    await fill(200_000, 50_000, 10_000, 5000, 2000, 1000, 500, 200, 100, 50, 10);
    const expected = { code: 'LEVEL_UNAVAILABLE', message: /Out of memory/ };
    for (let ping = 0; ping < 3; ping += 1) await assert.rejects(store.ping(), expected);
    const large = { large: 'v'.repeat(600_000) };
    await assert.rejects(put(store, large), expected);
    await assert.rejects(store.ping(), expected);
    assert.deepEqual(await contents(store), { first: 'v' }, 'what is there can be read');
    // Room for a small write is none for what was refused.
    for (const key of fillers.filter(name => /^filler(5000|2000|1000|500|200):/.test(name)).slice(0, 50))
      await client.delete(key);
    await assert.rejects(store.ping(), expected);
    for (const key of fillers) await client.delete(key);
    await store.ping();
    await put(store, large);
    await store.ping();
    assert.deepEqual(
      (await allKeys(port)).filter(key => key.endsWith('trial')),
      [],
    );
    await closeLevel(store);
    assert.deepEqual(await storedIn(place), { first: 'v', ...large });
  },
);

test('snapshots leave nothing behind', { skip }, async t => {
  const { port } = await startMemcached(t);
  const place = { ...(await newPlace(t, port)), journalMinBytes: 3000 };
  const store = await openedStore(t, place);
  for (let number = 0; number < 200; number += 1)
    await put(store, { [`key${number % 20}`]: 'v'.repeat(number) });
  await put(store, { large: 'x'.repeat(900_000) });
  await put(store, { large: 'y' });
  await closeLevel(store);
  await assertOneGeneration(port);
  // What a crash leaves that comes while the next snapshot is being written.
  const head = (await allKeys(port)).find(key => /:j\d+$/.test(key)) ?? '';
  const next = head.replace(/\d+$/, generation => String(Number(generation) + 1));
  const client = newClient(t, port);
  await client.set(next, Buffer.from('{"lines":1,"writer":"crashed"}'));
  await client.set(`${next}:1`, Buffer.from('Lits first line'));
  for (const item of [1, 2, 3, 5])
    await client.set(`${next.replace(':j', ':s')}:${item}`, Buffer.from('part'));
  await closeLevel(await openedStore(t, place));
  await assertOneGeneration(port);
});
