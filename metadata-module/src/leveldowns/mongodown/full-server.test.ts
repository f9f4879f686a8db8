/** A server whose disk is full: it answers, and refuses every write. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { mongodbMissing as skip } from '@zenko-modules/common/testing/mongodb-server';
import { closeLevel, getValue, openLevel, writeBatch } from '../level-calls.js';
import { LEVEL_ERRORS } from '../plugin.js';
import { contents, newPlace, newStore, withStore } from './testing/databases.js';
import { startWireProxy, type Verdict, type WireCommand } from './testing/wire-proxy.js';

/** What fails is tried for so long; a slow machine must not take longer for what succeeds. */
const TIMEOUT_MS = 2500;
const put = (key: string, value: string) => ({ type: 'put', key, value }) as const;
const WRITES: readonly string[] = ['insert', 'update', 'delete', 'findAndModify', 'bulkWrite'];
const FULL = {
  code: 14031,
  codeName: 'OutOfDiskSpace',
  errmsg: 'available disk space is less than required',
};

/** Each way in which a server may say so. */
const ANSWERS = {
  'as an error of the command': { ok: 0, ...FULL },
  'as an error of a write in it': { ok: 1, n: 0, nModified: 0, writeErrors: [{ index: 0, ...FULL }] },
} as const;

for (const [how, answer] of Object.entries(ANSWERS)) {
  const full = ({ name }: WireCommand): Verdict => (WRITES.includes(name) ? { answer } : 'pass');

  test(
    `a server that says ${how} that its disk is full fails writes, serves reads until the lease is over, and is used again when there is room`,
    { skip },
    async t => {
      const place = await newPlace(t);
      const proxy = await startWireProxy(t, place.url);
      const store = newStore({ ...place, url: proxy.url }, { leaseMs: 60_000, timeoutMs: TIMEOUT_MS });
      await openLevel(store);
      await writeBatch(store, [put('a', '1'), put('b', '1')]);
      proxy.judge = full;
      const refused = { code: LEVEL_ERRORS.unavailable };
      await Promise.all(
        ['c', 'd', 'e'].map(key =>
          assert.rejects(writeBatch(store, [put('a', '2'), put(key, '2')]), refused),
        ),
      );
      await assert.rejects(store.ping(), refused);
      assert.deepEqual(await contents(store), { a: '1', b: '1' });
      assert.equal((await getValue(store, 'b'))?.toString(), '1');
      proxy.judge = () => 'pass';
      await writeBatch(store, [put('f', '3')]);
      await store.ping();
      const whole = { a: '1', b: '1', f: '3' };
      assert.deepEqual(await contents(store), whole);
      await closeLevel(store);
      assert.deepEqual(await withStore(newStore(place), contents), whole);
    },
  );

  test(
    `a store whose server says ${how} that its disk is full refuses reads once its lease is over, until there is room`,
    { skip },
    async t => {
      const place = await newPlace(t);
      const proxy = await startWireProxy(t, place.url);
      const store = newStore({ ...place, url: proxy.url }, { timeoutMs: TIMEOUT_MS });
      await openLevel(store);
      await writeBatch(store, [put('a', '1')]);
      proxy.judge = full;
      await sleep(700);
      const refused = { code: LEVEL_ERRORS.unavailable };
      await assert.rejects(getValue(store, 'a'), refused);
      await assert.rejects(contents(store), refused);
      proxy.judge = () => 'pass';
      assert.deepEqual(await contents(store), { a: '1' });
      await closeLevel(store);
    },
  );

  test(
    `a store whose server says ${how} that its disk is full closes, and nothing acknowledged is lost`,
    { skip },
    async t => {
      const place = await newPlace(t);
      const proxy = await startWireProxy(t, place.url);
      const store = newStore({ ...place, url: proxy.url }, { leaseMs: 600, timeoutMs: TIMEOUT_MS });
      await openLevel(store);
      // What is acknowledged finds no room on its way from the journal into the data.
      let acknowledged = false;
      proxy.judge = command =>
        acknowledged || (command.target === 'metadata' && WRITES.includes(command.name))
          ? full(command)
          : 'pass';
      await writeBatch(store, [put('a', '1'), put('b', '2')]);
      acknowledged = true;
      const late = assert.rejects(writeBatch(store, [put('a', '9')]), { code: LEVEL_ERRORS.unavailable });
      await withDeadline(closeLevel(store), 30_000, 'closing');
      await late;
      proxy.judge = () => 'pass';
      assert.deepEqual(await withStore(newStore(place, { inUse: 'wait' }), contents), { a: '1', b: '2' });
    },
  );
}
