/** Closing comes first, whatever is under way and whatever the LevelDOWN makes of it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { LEVEL_ERRORS } from '../leveldowns/plugin.js';
import { faultyLevel } from '../testing/faulty-level.js';
import { holdIterators } from '../testing/held-iterators.js';
import { LEVELDOWN } from '../testing/level-place.js';
import { OpenLevel } from './open-level.js';

const DEADLINE_MS = 10_000;
const never = new Promise<never>(() => undefined);
const isUnavailable = (err: unknown): boolean => isErrorType(err, 'ServiceUnavailable');

test('from the moment in which closing begins no call reaches the LevelDOWN; those under way are waited for', async () => {
  const faulty = await faultyLevel();
  const store = await OpenLevel.open(faulty.level);
  const order: string[] = [];
  let release: (() => void) | undefined;
  faulty.held = new Promise(resolve => (release = resolve));
  const written = store.batch([{ type: 'put', key: 'a', value: '1' }]).then(() => order.push('written'));
  const closed = store.close().then(() => order.push('closed'));
  const reached: string[] = [];
  for (const name of ['get', 'batch', 'iterator']) {
    Object.assign(faulty.level, { [name]: () => reached.push(name) });
  }
  await assert.rejects(store.get('a'), isUnavailable);
  await assert.rejects(store.batch([{ type: 'del', key: 'a' }]), isUnavailable);
  assert.throws(() => store.entries({}), isUnavailable);
  await sleep(20);
  assert.deepEqual(order, []);
  release?.();
  await Promise.all([written, closed]);
  assert.deepEqual(order, ['written', 'closed']);
  assert.deepEqual(reached, []);
  assert.equal(faulty.level.status, 'closed');
});

test('what is under way in a store that is lost is not waited for', async () => {
  const faulty = await faultyLevel();
  const store = await OpenLevel.open(faulty.level, { batchMs: 20, drainMs: 10 * DEADLINE_MS });
  faulty.held = never;
  const refused = assert.rejects(store.batch([{ type: 'put', key: 'a', value: '1' }]));
  await withDeadline(store.close({ isLost: true }), DEADLINE_MS, 'closing');
  assert.equal(faulty.level.status, 'closed');
  await refused;
});

test('an iterator that is open when the store is closed rejects, also when the LevelDOWN says that there is no more', async () => {
  for (const lie of [undefined, 'says that there is no more'] as const) {
    const { level } = await faultyLevel();
    let closed: Promise<void> | undefined;
    holdIterators(level, step => {
      if (step === 2) closed = store.close();
      return Promise.resolve(step === 2 ? lie : undefined);
    });
    const store = await OpenLevel.open(level);
    await store.batch(['a', 'b', 'c'].map(key => ({ type: 'put', key, value: '' })));
    const entries = store.entries({});
    await entries.next();
    if (lie === undefined) assert.equal((await entries.next()).done, false, 'what was read is given');
    for (let again = 0; again < 2; again += 1) {
      await assert.rejects(entries.next(), err => {
        assert.ok(isErrorType(err, 'ServiceUnavailable'));
        assert.equal((err.cause as { code?: string }).code, LEVEL_ERRORS.iteratorEnded);
        return true;
      });
    }
    await entries.return();
    await closed;
  }
});

test('a reader that had returned, or had read all, is not told of a later close', async () => {
  const { level } = await faultyLevel();
  const store = await OpenLevel.open(level);
  await store.batch([{ type: 'put', key: 'a', value: '' }]);
  const [left, read] = [store.entries({}), store.entries({})];
  await left.return();
  for await (const { key } of read) assert.equal(key, 'a');
  await store.close();
  for (const entries of [left, read])
    assert.deepEqual(await entries.next(), { done: true, value: undefined });
});

test('leveldown is opened again under readers of every kind, again and again, and answers each of them', async t => {
  const place = await LEVELDOWN.place(t);
  const store = await OpenLevel.open(await place.level());
  const value = 'x'.repeat(700);
  const keys = Array.from({ length: 1000 }, (_, n) => `k${String(n).padStart(4, '0')}`);
  await store.batch(keys.map(key => ({ type: 'put', key, value })));
  let stop = false;
  const until = async (read: () => Promise<void>): Promise<number> => {
    let complete = 0;
    // However slow the machine is, each is answered once.
    while (!stop || complete === 0) {
      try {
        await withDeadline(read(), DEADLINE_MS, 'a read');
        complete += 1;
      } catch (err) {
        assert.ok(isErrorType(err, 'ServiceUnavailable'), String(err));
        await sleep(1);
      }
    }
    return complete;
  };
  const readers = [
    ...Array.from({ length: 8 }, () => async () => assert.equal(await store.get('k0007'), value)),
    ...Array.from({ length: 8 }, () => async () => {
      const got: string[] = [];
      for await (const { key } of store.entries({})) got.push(key);
      assert.deepEqual(got, keys);
    }),
    ...Array.from({ length: 4 }, () => async () => {
      for await (const { key } of store.entries({})) if (key === 'k0010') break;
    }),
  ].map(until);
  for (let round = 0; round < 20; round += 1) {
    await withDeadline(store.reopen(), DEADLINE_MS, 'opening it again');
    await store.batch([{ type: 'put', key: 'k0000', value }]);
    await sleep(10);
  }
  stop = true;
  for (const complete of await Promise.all(readers)) assert.ok(complete > 0);
  assert.equal(store.openIterators, 0);
  await withDeadline(store.close(), DEADLINE_MS, 'closing');
});

test('an iterator whose step never ends does not hold up a close, and its reader is told', async () => {
  const { level } = await faultyLevel();
  holdIterators(level, () => never);
  const store = await OpenLevel.open(level, { drainMs: 20 });
  const entries = store.entries({});
  const step = assert.rejects(entries.next(), isUnavailable);
  await withDeadline(store.close(), DEADLINE_MS, 'closing');
  await withDeadline(step, DEADLINE_MS, 'the step');
  await withDeadline(entries.return(), DEADLINE_MS, 'leaving');
  assert.equal(store.openIterators, 0);
});

test('a LevelDOWN that takes too long to open is not told twice, and used when it is open', async () => {
  const faulty = await faultyLevel();
  const store = await OpenLevel.open(faulty.level, { stepMs: 30 });
  const open = faulty.level.open.bind(faulty.level);
  let [calls, opening] = [0, 0];
  Object.assign(faulty.level, {
    open: (done: (err?: Error) => void) => {
      calls += 1;
      opening += 1;
      assert.equal(opening, 1, 'one at a time');
      setTimeout(
        () => {
          opening -= 1;
          open(done);
        },
        calls === 1 ? 100 : 0,
      );
    },
  });
  await assert.rejects(store.reopen(), isUnavailable);
  await assert.rejects(store.get('a'), isUnavailable);
  for (let tries = 0; !store.isOpen && tries < 50; tries += 1) {
    await store.reopen().catch(() => undefined);
    await sleep(10);
  }
  assert.equal(await store.get('a'), undefined);
  await store.close();
  assert.equal(faulty.level.status, 'closed');
});

test('a store that is closed while it is being opened again ends closed', async () => {
  const faulty = await faultyLevel();
  const store = await OpenLevel.open(faulty.level);
  const open = faulty.level.open.bind(faulty.level);
  Object.assign(faulty.level, { open: (done: (err?: Error) => void) => setTimeout(() => open(done), 20) });
  const reopened = store.reopen().catch(() => undefined);
  await sleep(5);
  await Promise.all([store.close(), store.close()]);
  await reopened;
  assert.equal(faulty.level.status, 'closed');
  await assert.rejects(store.reopen(), isUnavailable);
  assert.equal(faulty.level.status, 'closed');
});
