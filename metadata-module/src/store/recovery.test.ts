/** What cannot heal ends the process; what can is waited for, by nobody longer than it must be. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { LEVEL_ERRORS, LevelError } from '../leveldowns/plugin.js';
import { recordKey } from '../record-log/record.js';
import { faultyLevel } from '../testing/faulty-level.js';
import { BUCKET, openStore, PLAIN } from '../testing/open-store.js';
import { StoreLostError } from './recovery.js';

const IO_ERROR = new Error('IO error: disk on fire');
const DEADLINE_MS = 10_000;
const isUnavailable = (err: unknown): boolean => isErrorType(err, 'ServiceUnavailable');

/** Takes down what a store tells when it is lost. */
class Lost {
  readonly told: Error[] = [];

  readonly onLost = (err: Error): void => void this.told.push(err);

  async first(): Promise<Error> {
    for (let waited = 0; waited < DEADLINE_MS; waited += 5) {
      const [err] = this.told;
      if (err) return err;
      await sleep(5);
    }
    throw new Error('nothing was told');
  }
}

test('a store that cannot be opened again is tried without being asked, and given up by name', async t => {
  const faulty = await faultyLevel();
  const lost = new Lost();
  const store = await openStore(t, { level: faulty.level, onLost: lost.onLost, giveUpMs: 1200 });
  faulty.faultOf = () => ({ error: IO_ERROR, applied: false });
  faulty.openError = IO_ERROR;
  await assert.rejects(store.databases.put(BUCKET, 'a', '1', PLAIN));
  await assert.rejects(store.ready(), isUnavailable);
  const err = await lost.first();
  assert.ok(err instanceof StoreLostError);
  assert.match(err.message, /^the store is lost to this process: IO error: disk on fire$/);
  assert.ok(faulty.opened >= 3, `${faulty.opened} attempts`);
  await sleep(20);
  assert.equal(lost.told.length, 1);
});

test('one that opens again in time is not given up, however often it failed before', async t => {
  const faulty = await faultyLevel();
  const lost = new Lost();
  const store = await openStore(t, { level: faulty.level, onLost: lost.onLost, giveUpMs: 1500 });
  for (let round = 0; round < 3; round += 1) {
    faulty.faultOf = () => ({ error: IO_ERROR, applied: false });
    faulty.openError = IO_ERROR;
    await assert.rejects(store.databases.put(BUCKET, 'a', '1', PLAIN));
    await assert.rejects(store.ready(), isUnavailable);
    faulty.faultOf = () => undefined;
    faulty.openError = undefined;
    // Nobody asks: it comes back by itself.
    while (!store.store.isOpen) await sleep(10);
    await store.ready();
  }
  assert.deepEqual(lost.told, []);
  await store.databases.put(BUCKET, 'a', '2', PLAIN);
});

test('an open that never ends is given up, and does not hold up a stop', async t => {
  const faulty = await faultyLevel();
  const lost = new Lost();
  const store = await openStore(t, { level: faulty.level, onLost: lost.onLost, giveUpMs: 600 });
  faulty.faultOf = () => ({ error: IO_ERROR, applied: false });
  Object.assign(faulty.level, { open: () => undefined });
  await assert.rejects(store.databases.put(BUCKET, 'a', '1', PLAIN));
  await assert.rejects(store.ready(), isUnavailable);
  assert.match((await lost.first()).message, /took longer than/);
  await withDeadline(store.close(400), DEADLINE_MS, 'the stop');
});

test('damage ends the process at once, from a batch that fails with it and from the next open', async t => {
  const faulty = await faultyLevel();
  const lost = new Lost();
  const store = await openStore(t, { level: faulty.level, onLost: lost.onLost });
  const error = new LevelError(LEVEL_ERRORS.corrupt, 'line 7 is damaged');
  faulty.faultOf = () => ({ error, applied: false });
  faulty.openError = error;
  await assert.rejects(store.databases.put(BUCKET, 'a', '1', PLAIN), err =>
    isErrorType(err, 'InternalError'),
  );
  await assert.rejects(store.ready(), isUnavailable);
  assert.match((await lost.first()).message, /lost to this process: line 7 is damaged/);
});

test('a store that has lost what it acknowledged, when it is opened again, ends the process', async t => {
  const faulty = await faultyLevel();
  const lost = new Lost();
  const store = await openStore(t, { level: faulty.level, onLost: lost.onLost });
  for (const n of ['1', '2', '3']) await store.databases.put(BUCKET, 'a', n, PLAIN);
  await store.store.batch([2, 3].map(seq => ({ type: 'del', key: recordKey(seq) })));
  faulty.faultOf = () => ({ error: IO_ERROR, applied: false });
  await assert.rejects(store.databases.put(BUCKET, 'a', '4', PLAIN));
  faulty.faultOf = () => undefined;
  await assert.rejects(store.databases.put(BUCKET, 'a', '5', PLAIN), isUnavailable);
  assert.match(
    (await lost.first()).message,
    /records 2 to 3 of the log, which were acknowledged, are not in the store/,
  );
});

test('a batch that is never answered ends the process, and a stop does not wait for it', async t => {
  const faulty = await faultyLevel();
  const lost = new Lost();
  const store = await openStore(t, { level: faulty.level, onLost: lost.onLost, deadlines: { batchMs: 50 } });
  faulty.held = new Promise(() => undefined);
  await assert.rejects(store.databases.put(BUCKET, 'a', '1', PLAIN), err =>
    isErrorType(err, 'InternalError'),
  );
  assert.match((await lost.first()).message, /a batch of the store took longer than 50 ms/);
  await withDeadline(store.close(200), DEADLINE_MS, 'the stop');
});

test('who waits for the store is refused at once when the module stops', async t => {
  const faulty = await faultyLevel();
  const store = await openStore(t, { level: faulty.level });
  faulty.faultOf = () => ({ error: IO_ERROR, applied: false });
  await assert.rejects(store.databases.put(BUCKET, 'a', '1', PLAIN));
  Object.assign(faulty.level, { open: () => undefined });
  const waiting = Array.from({ length: 20 }, (_, n) =>
    assert.rejects(store.databases.put(BUCKET, `k${n}`, '1', PLAIN), isUnavailable),
  );
  const [ready, read] = [
    assert.rejects(store.ready(), isUnavailable),
    sleep(10).then(() => assert.rejects(store.databases.get(BUCKET, 'a', {}), isUnavailable)),
  ];
  await sleep(30);
  store.stop();
  await withDeadline(Promise.all([...waiting, ready, read]), DEADLINE_MS, 'being refused');
  await store.close(200);
});
