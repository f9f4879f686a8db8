/** A server that is stopped, or gone: calls fail in time, and all comes back by itself. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { freePort } from '@zenko-modules/common/testing/test-server';
import {
  mongodbMissing,
  ownMongodbMissing,
  startOwnMongodb,
} from '@zenko-modules/common/testing/mongodb-server';
import { closeLevel, getValue, openLevel, writeBatch } from '../level-calls.js';
import { LEVEL_ERRORS } from '../plugin.js';
import { MONGODB_SETTINGS } from './mongodown-settings.js';
import type { MongoDown } from './mongodown.js';
import { onServerThatComesBack } from './testing/server-that-comes-back.js';
import { contents, newPlace, newStore, serverUrl } from './testing/databases.js';
import { startWireProxy } from './testing/wire-proxy.js';

const code = LEVEL_ERRORS.unavailable;
/** What the calls promise. */
const IN_TIME_MS = 5000;
const timeoutMs = Number(MONGODB_SETTINGS.MONGODB_TIMEOUT_MS.default);

const put = (key: string, value: string) => ({ type: 'put', key, value }) as const;

async function failsInTime(
  t: TestContext,
  calls: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<void> {
  const began = performance.now();
  await Promise.all(
    Object.entries(calls).map(async ([name, call]) => {
      // Against a timer of this process, which a busy machine holds up as it holds up the call.
      await assert.rejects(withDeadline(call(), IN_TIME_MS, name), { code }, name);
      t.diagnostic(`${name} failed after ${Math.round(performance.now() - began)} ms`);
    }),
  );
}

const callsOf = (store: MongoDown): Record<string, () => Promise<unknown>> => ({
  get: () => getValue(store, 'b'),
  batch: () => writeBatch(store, [put('a', 'failed')]),
  iterator: () => contents(store),
  ping: () => store.ping(),
});

async function comesBack(store: MongoDown): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await store.ping();
      break;
    } catch (err) {
      if (tries === 100) throw err;
      await sleep(250);
    }
  }
  await writeBatch(store, [put('b', 'after')]);
  assert.deepEqual(await contents(store), { a: 'before', b: 'after' });
}

test('by default calls have less than 5 s', () => {
  assert.ok(timeoutMs < 5000);
});

test(
  'while the server is gone calls fail in time, and afterwards all goes on',
  { skip: ownMongodbMissing },
  async t => {
    await onServerThatComesBack(t, async ({ server, place, log }) => {
      // With a lease that ends meanwhile.
      const store = newStore(place, { leaseMs: 1000, timeoutMs, log });
      await openLevel(store);
      await writeBatch(store, [put('a', 'before')]);
      await server.stop('SIGKILL');
      await failsInTime(t, callsOf(store));
      await server.start();
      await comesBack(store);

      // Stopped, it takes connections and does not answer.
      server.signal('SIGSTOP');
      await writeBatch(store, [put('b', 'lost')]).catch((err: unknown) =>
        assert.equal((err as { code?: string }).code, code),
      );
      await failsInTime(t, callsOf(store));
      server.signal('SIGCONT');
      await comesBack(store);
      await closeLevel(store);
    });
  },
);

test('a store whose server is not there is not opened, in time', { skip: mongodbMissing }, async t => {
  const url = `mongodb://127.0.0.1:${await freePort()}`;
  const store = newStore({ url, database: 'test', collection: 'metadata' }, { timeoutMs });
  await failsInTime(t, { open: () => openLevel(store) });
});

test(
  'a stand-by waits for a server that is not there yet, and may be closed meanwhile',
  { skip: ownMongodbMissing },
  async t => {
    const server = await startOwnMongodb(t);
    const place = await newPlace(t, server.url);
    await server.stop('SIGKILL');
    const patience = { inUse: 'wait', timeoutMs: 2000 } as const;
    const [waits, givesUp] = [newStore(place, patience), newStore(place, patience)];
    const opened = openLevel(waits);
    opened.catch(() => undefined);
    const refused = assert.rejects(openLevel(givesUp), { code });
    // The second of two that do not wait began when the others had had their time already.
    for (const impatient of [newStore(place, { timeoutMs: 2000 }), newStore(place, { timeoutMs: 2000 })]) {
      await assert.rejects(openLevel(impatient), { code });
    }
    assert.deepEqual([waits.status, givesUp.status], ['opening', 'opening']);
    await closeLevel(givesUp);
    await refused;
    await server.start();
    await withDeadline(opened, 30_000, 'opening');
    assert.deepEqual(await contents(waits), {});
    await closeLevel(waits);
  },
);

test(
  'a read that a member answers which lags behind is asked of the primary',
  { skip: mongodbMissing },
  async t => {
    const place = await newPlace(t);
    const proxy = await startWireProxy(t, await serverUrl());
    const store = newStore({ ...place, url: proxy.url }, { readPreference: 'nearest', leaseMs: 60_000 });
    await openLevel(store);
    await writeBatch(store, [put('a', 'before')]);
    await writeBatch(store, [put('a', 'after')]);
    while ((await proxied(store, proxy)) === 0) await sleep(20);
    // A member that has not applied the last batch yet: its marker tells.
    proxy.judge = command => {
      if (command.name !== 'find' || command.target !== 'metadata') return 'pass';
      proxy.judge = () => 'pass';
      return { change: answer => lagging(answer as Reply) };
    };
    proxy.commands.splice(0);
    assert.equal((await getValue(store, 'a'))?.toString(), 'after');
    assert.equal(proxy.commands.filter(({ name }) => name === 'find').length, 2);
    await closeLevel(store);
  },
);

interface Reply {
  readonly cursor: { readonly firstBatch: readonly { readonly _id: string; readonly applied?: number }[] };
}

function lagging(answer: Reply): Reply {
  const firstBatch = answer.cursor.firstBatch.map(document =>
    document.applied === undefined
      ? { ...document, v: Buffer.from('before') }
      : { ...document, applied: document.applied - 1 },
  );
  return { ...answer, cursor: { ...answer.cursor, firstBatch } };
}

/** Commands that a read takes: none while the overlay has the answer. */
async function proxied(store: MongoDown, { commands }: { commands: unknown[] }): Promise<number> {
  commands.splice(0);
  await getValue(store, 'a');
  return commands.length;
}
