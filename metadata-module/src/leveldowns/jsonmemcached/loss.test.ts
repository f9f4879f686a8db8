/** Items that memcached does not have any more: they are named, and never taken for an empty store. */
import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { closeLevel, openLevel } from '../level-calls.js';
import { JsonMemcached } from './json-memcached.js';
import { allKeys, flush } from './testing/server-items.js';
import { contents, newClient, newPlace, openedStore, put, storedIn } from './testing/stores.js';

const skip = memcachedMissing;

test('any item that is missing at the start is named, and put back the store is whole', { skip }, async t => {
  const { port } = await startMemcached(t);
  const place = await newPlace(t, port);
  const first = await openedStore(t, place);
  await put(first, { a: 'x'.repeat(600_000) });
  await closeLevel(first);
  const store = await openedStore(t, place);
  await put(store, { b: '2' });
  await put(store, { c: 'y'.repeat(600_000) });
  await put(store, { d: '4' });
  const expected = await contents(store);
  // A copy of the folder without its lock, as after a crash.
  const crashed = { ...place, folder: `${place.folder}-crashed` };
  await cp(place.folder, crashed.folder, { recursive: true, filter: source => !source.endsWith('lock') });
  const client = newClient(t, port);
  const keys = await allKeys(port);
  // root, a snapshot of 3 items, a journal's head and 4 lines, one of them in 3 parts
  assert.equal(keys.length, 1 + 3 + 1 + 4 + 3, keys.join());
  for (const key of keys) {
    const value = await client.get(key);
    assert.ok(value !== undefined);
    await client.delete(key);
    await assert.rejects(openLevel(new JsonMemcached(crashed)), (err: Error) => {
      assert.equal((err as { code?: string }).code, 'LEVEL_CORRUPT', `${key}: ${err.message}`);
      assert.ok(err.message.includes(`"${key}" is missing on 127.0.0.1:${port}`), `${key}: ${err.message}`);
      return true;
    });
    await client.set(key, value);
  }
  assert.deepEqual(await storedIn(crashed), expected);
});

test(
  'after memcached and the module ended both, the start says so and names the file to remove',
  { skip },
  async t => {
    const { port, stop } = await startMemcached(t);
    const place = await newPlace(t, port);
    await closeLevel(await openedStore(t, place));
    await stop('SIGKILL');
    await startMemcached(t, { port });
    const marker = path.join(place.folder, 'store.json');
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await assert.rejects(openLevel(new JsonMemcached(place)), (err: Error) => {
        assert.match(
          err.message,
          /"metadata:root" is missing .* or the server was restarted.*remove .*store\.json/,
        );
        return true;
      });
    }
    await rm(marker);
    assert.deepEqual(await contents(await openedStore(t, place)), {});
  },
);

for (const how of ['restarted', 'flushed'] as const) {
  test(
    `when memcached is ${how} under an open store, the next write names an item, and all is written again`,
    { skip },
    async t => {
      const { port, stop } = await startMemcached(t);
      const place = await newPlace(t, port);
      const store = await openedStore(t, place);
      await put(store, { a: '1', b: 'x'.repeat(300_000) });
      if (how === 'flushed') await flush(port);
      else {
        await stop('SIGKILL');
        await startMemcached(t, { port });
      }
      const expected = { a: '1', b: 'x'.repeat(300_000), d: '4' };
      // A connection that broke is one failure more, of another name.
      await assert.rejects(put(store, { c: '3' }), {
        code: 'LEVEL_UNAVAILABLE',
        message: /is missing on|memcached/,
      });
      await put(store, { d: '4' });
      assert.deepEqual(await contents(store), expected);
      await closeLevel(store);
      assert.deepEqual(await storedIn(place), expected);
    },
  );
}

test('a ping notices any missing item within some pings, and the next one mends it', { skip }, async t => {
  const { port } = await startMemcached(t);
  const place = await newPlace(t, port);
  const store = await openedStore(t, place);
  for (let number = 0; number < 150; number += 1) await put(store, { [`key${number}`]: 'v' });
  const client = newClient(t, port);
  const random = seededRandom(t);
  for (let round = 0; round < 5; round += 1) {
    const keys = await allKeys(port);
    const key = keys[random.integer(0, keys.length - 1)] ?? '';
    await client.delete(key);
    await assert.rejects(
      async () => {
        for (let ping = 0; ping < 4; ping += 1) await store.ping();
      },
      new RegExp(`"${key}" is missing`),
    );
    await store.ping();
    for (let number = 0; number < 20; number += 1) await put(store, { [`key${number}`]: 'v' });
  }
  assert.equal(Object.keys(await contents(store)).length, 150);
  await closeLevel(store);
  assert.equal(Object.keys(await storedIn(place)).length, 150);
});

test('a folder that knows of no store does not take one that is there, unless told to', { skip }, async t => {
  const { port } = await startMemcached(t);
  const place = await newPlace(t, port);
  const store = await openedStore(t, place);
  await put(store, { a: '1' });
  await closeLevel(store);
  const other = await newPlace(t, port);
  await assert.rejects(openLevel(new JsonMemcached(other)), {
    code: 'LEVEL_UNAVAILABLE',
    message: /JSONMEMCACHED_ADOPT=true.*JSONMEMCACHED_NAME/,
  });
  assert.deepEqual(await storedIn({ ...other, adopt: true }), { a: '1' });
  assert.deepEqual(await storedIn(other), { a: '1' }, 'once adopted it is known');
  assert.deepEqual(
    await contents(await openedStore(t, { ...(await newPlace(t, port)), name: 'second' })),
    {},
  );
});

test('other servers, or the same in another order, are refused', { skip }, async t => {
  const [one, two] = [await startMemcached(t), await startMemcached(t)];
  const place = await newPlace(t, one.port);
  const servers = [one, two].map(({ port }) => ({ host: '127.0.0.1', port }));
  const store = await openedStore(t, { ...place, servers });
  await put(store, { a: '1' });
  await closeLevel(store);
  for (const wrong of [servers.slice(0, 1), servers.slice(1), [...servers].reverse()]) {
    await assert.rejects(
      openLevel(new JsonMemcached({ ...place, servers: wrong })),
      /MEMCACHED_HOSTS is .*order/,
    );
  }
  assert.deepEqual(await storedIn({ ...place, servers }), { a: '1' });
});

test('a marker that is damaged, or of another store, is refused', { skip }, async t => {
  const { port } = await startMemcached(t);
  const place = await newPlace(t, port);
  await closeLevel(await openedStore(t, place));
  const marker = path.join(place.folder, 'store.json');
  const intact = await readFile(marker, 'utf8');
  for (const [text, message] of [
    ['', /store\.json is damaged/],
    [intact.slice(0, 40), /store\.json is damaged/],
    [intact.replace(/"space": "../, '"space": "zz'), /store\.json is damaged/],
    [intact.replace(/"space": "[0-9a-f]{8}/, '"space": "00000000'), /belongs to another store/],
  ] as const) {
    await writeFile(marker, text);
    await assert.rejects(openLevel(new JsonMemcached(place)), { code: 'LEVEL_CORRUPT', message });
  }
});

test('items of journals and snapshots that are being replaced are missed by nobody', { skip }, async t => {
  const { port } = await startMemcached(t);
  const store = await openedStore(t, { ...(await newPlace(t, port)), journalMinBytes: 500 });
  let writing = true;
  const writer = async (): Promise<void> => {
    for (let n = 0; n < 600; n += 1) await put(store, { [`k${n % 20}`]: 'x'.repeat(50) });
    writing = false;
  };
  const checker = async (): Promise<void> => {
    while (writing) await store.ping();
  };
  await Promise.all([writer(), checker()]);
});
