import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import type { MetadataStore } from '../metadata-store.js';
import { faultyLevel } from '../testing/faulty-level.js';
import { MEMDOWN } from '../testing/level-place.js';
import { recordKey } from '../record-log/record.js';
import { contentOf, replayed } from '../testing/model/stored.js';
import { BUCKET, collect, openStore, PLAIN, VERSIONED } from '../testing/open-store.js';

async function open(t: TestContext, repairDelayMs = 3_600_000): Promise<MetadataStore> {
  const place = await MEMDOWN.place(t);
  return openStore(t, { level: await place.level(), repairDelayMs });
}

/** Puts versions 1 to `count` of `k` and deletes the newest. */
async function deleteNewest(store: MetadataStore, count: number): Promise<void> {
  let versionId: string | undefined;
  for (let n = 1; n <= count; n += 1) {
    versionId = await store.databases.put(BUCKET, 'k', `{"n":${n}}`, VERSIONED);
  }
  await store.databases.del(BUCKET, 'k', { versionId });
}

/** Whether a place holder is stored; also while the store is opened again after a failure. */
async function isBroken(store: MetadataStore): Promise<boolean> {
  try {
    return (await stored(store, 'k'))?.includes('isPHD') ?? false;
  } catch (err) {
    if (isErrorType(err, 'ServiceUnavailable')) return true;
    throw err;
  }
}

const stored = (store: MetadataStore, key: string): Promise<string | undefined> =>
  store.store.get(BUCKET.keyOf(key));

async function untilRepaired(store: MetadataStore): Promise<void> {
  for (let tries = 0; await isBroken(store); tries += 1) {
    assert.ok(tries < 1000, 'the master is repaired');
    await sleep(10);
  }
}

test('a place holder is repaired after a while, without being asked for', async t => {
  const store = await open(t, 500);
  await deleteNewest(store, 2);
  assert.match((await stored(store, 'k')) ?? '', /^\{"isPHD":true,"versionId":"\d{20}RG001 {2}\d+"\}$/);
  await untilRepaired(store);
  assert.match((await stored(store, 'k')) ?? '', /"n":1/);
  assert.deepEqual(await replayed(store), await contentOf(store));
});

test('with no version left the master goes, at once for who asks', async t => {
  const store = await open(t);
  await deleteNewest(store, 1);
  await assert.rejects(store.databases.get(BUCKET, 'k', {}), err => isErrorType(err, 'ObjNotFound'));
  await store.databases.idle();
  assert.equal(await stored(store, 'k'), undefined);
});

test('a hundred readers of a place holder get the newest version, and it is repaired once', async t => {
  const store = await open(t);
  await deleteNewest(store, 3);
  const { last } = store.recordLog;
  const answers = await Promise.all(Array.from({ length: 100 }, () => store.databases.get(BUCKET, 'k', {})));
  for (const answer of answers) assert.match(answer, /"n":2/);
  await store.databases.idle();
  assert.equal(store.recordLog.last, last + 1);
});

test('a repair does not undo a write that came before it', async t => {
  for (const write of [
    (store: MetadataStore) => store.databases.put(BUCKET, 'k', '{"n":9}', PLAIN),
    (store: MetadataStore) => store.databases.put(BUCKET, 'k', '{"n":9}', VERSIONED),
    (store: MetadataStore) =>
      store.databases.put(BUCKET, 'k', '{"n":9}', { versioning: false, versionId: '', deleteNullKey: false }),
  ]) {
    const store = await open(t, 20);
    await deleteNewest(store, 2);
    await Promise.all([store.databases.get(BUCKET, 'k', {}), write(store)]);
    await sleep(60);
    await store.databases.idle();
    assert.match((await stored(store, 'k')) ?? '', /"n":9/);
  }
});

test('a deletion that fails and was applied all the same leaves no place holder for ever', async t => {
  const faulty = await faultyLevel();
  const store = await openStore(t, { level: faulty.level, repairDelayMs: 500 });
  await store.databases.put(BUCKET, 'k', '{"n":1}', VERSIONED);
  const versionId = await store.databases.put(BUCKET, 'k', '{"n":2}', VERSIONED);
  let batches = 0;
  faulty.faultOf = () => {
    batches += 1;
    return batches === 1 ? { error: new Error('IO error'), applied: true } : undefined;
  };
  await assert.rejects(store.databases.del(BUCKET, 'k', { versionId }));
  await untilRepaired(store);
  assert.match((await stored(store, 'k')) ?? '', /"n":1/);
});

test('a repair that fails is tried again', async t => {
  const faulty = await faultyLevel();
  const store = await openStore(t, { level: faulty.level, repairDelayMs: 30 });
  await deleteNewest(store, 2);
  let failures = 0;
  faulty.faultOf = () => {
    failures += 1;
    return failures <= 2 ? { error: new Error('IO error'), applied: false } : undefined;
  };
  await untilRepaired(store);
  assert.ok(failures > 2);
});

test('a listing shows a place holder until it is repaired', async t => {
  const store = await open(t);
  await deleteNewest(store, 2);
  const entries = await collect(await store.databases.list(BUCKET, { lt: 'k\0' }));
  assert.equal(entries.length, 1);
  assert.match(entries[0]?.value ?? '', /isPHD/);
});

test('a place holder that a stop left behind is repaired after the next start', async t => {
  const place = await MEMDOWN.place(t);
  const first = await openStore(t, { level: await place.level() });
  await deleteNewest(first, 2);
  await first.databases.put(BUCKET, 'other', '{}', PLAIN);
  await first.close();
  const second = await openStore(t, { level: await place.level(), repairDelayMs: 30 });
  await untilRepaired(second);
  assert.match((await stored(second, 'k')) ?? '', /"n":1/);
});

test('a place holder outlives starts that are too short for its repair, and a damaged record', async t => {
  const place = await MEMDOWN.place(t);
  const started = Date.now();
  for (let start = 0; start < 4; start += 1) {
    const systemTime = (): number => started + start * 20_000;
    const store = await openStore(t, { level: await place.level(), systemTime });
    if (start === 0) await deleteNewest(store, 2);
    else await store.databases.put(BUCKET, 'other', `{"n":${start}}`, PLAIN);
    if (start === 1) {
      await store.store.batch([{ type: 'put', key: recordKey(store.recordLog.last), value: 'no record' }]);
      await store.databases.put(BUCKET, 'other', '{}', PLAIN);
    }
    await store.close();
  }
  const last = await openStore(t, { level: await place.level(), repairDelayMs: 30 });
  await untilRepaired(last);
  assert.match((await stored(last, 'k')) ?? '', /"n":1/);
});

test('a store that is closed repairs nothing more', async t => {
  const place = await MEMDOWN.place(t);
  const store = await openStore(t, { level: await place.level(), repairDelayMs: 2000 });
  await deleteNewest(store, 2);
  await store.close();
  await sleep(2100);
  const again = await openStore(t, { level: await place.level() });
  assert.match((await stored(again, 'k')) ?? '', /isPHD/);
});
