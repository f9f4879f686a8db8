import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import type { MetadataStore } from '../metadata-store.js';
import { MEMDOWN } from '../testing/level-place.js';
import { BUCKET, collect, openStore, PLAIN, VERSIONED } from '../testing/open-store.js';
import { READERS } from './log-readers.js';
import { HOLDERS } from './reader-holders.js';
import { RECORD_LOG, recordKey, recordValue } from './record.js';
import type { RecordRange } from './record-log.js';

async function withRecords(t: TestContext, count: number): Promise<MetadataStore> {
  const place = await MEMDOWN.place(t);
  const store = await openStore(t, { level: await place.level() });
  for (let n = 1; n <= count; n += 1) await store.databases.put(BUCKET, `k${n}`, `{"n":${n}}`, PLAIN);
  return store;
}

async function read(store: MetadataStore, range: RecordRange): Promise<{ info: unknown; keys: string[] }> {
  const { info, log } = await store.recordLog.read(range);
  return { info, keys: (await collect(log)).map(({ entries: [entry] }) => entry?.key ?? 'damaged') };
}

test('a record tells of time, database, type, key and value', async t => {
  const store = await withRecords(t, 1);
  await store.databases.del(BUCKET, 'k1', {});
  const [put, del] = await collect((await store.recordLog.read({})).log);
  assert.ok(put && del);
  assert.ok(Math.abs(Date.parse(put.timestamp) - Date.now()) < 600_000);
  assert.deepEqual(
    { db: put.db, entries: put.entries },
    { db: 'bucket', entries: [{ type: 'put', key: 'k1', value: '{"n":1}' }] },
  );
  assert.deepEqual(del.entries, [{ type: 'del', key: 'k1' }]);
});

test('a record is stored as CloudServer stores it', async t => {
  const store = await withRecords(t, 1);
  const stored = await store.store.get('!..recordLogs#s3-recordlog!0000000000000001');
  const { timestamp, ...rest } = JSON.parse(stored ?? '') as { timestamp: string };
  assert.deepEqual(rest, { type: 'put', db: 'bucket', key: 'k1', value: '{"n":1}' });
  assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

for (const time of ['+275760-09-13T00:00:00.000Z', '+005200-01-01T00:00:00.000Z', 'never']) {
  test(`the time ${time} of the newest record is passed over: writing goes on after the one before`, async t => {
    const place = await MEMDOWN.place(t);
    const store = await openStore(t, { level: await place.level() });
    const ahead = new Date(Date.now() + 3_600_000).toISOString();
    const records = [ahead, time].map(at => recordValue('bucket', { type: 'del', key: 'x' }, at));
    await store.store.batch(records.map((value, i) => ({ type: 'put', key: recordKey(i + 1), value })));
    await store.close();
    const reopened = await openStore(t, { level: await place.level() });
    assert.match(String(await reopened.databases.put(BUCKET, 'k', '{}', VERSIONED)), /^98\d{18}RG001 /);
    const written = await collect((await reopened.recordLog.read({ startSeq: 3 })).log);
    assert.ok(written.length > 0);
    for (const { timestamp } of written)
      assert.ok(timestamp > ahead && timestamp.startsWith('20'), timestamp);
  });
}

test('ranges cover exactly what they name', async t => {
  const store = await withRecords(t, 5);
  const none = { info: { start: null, end: null }, keys: [] };
  const cases: [RecordRange, unknown][] = [
    [{}, { info: { start: 1, end: 5 }, keys: ['k1', 'k2', 'k3', 'k4', 'k5'] }],
    [{ startSeq: 0 }, { info: { start: 1, end: 5 }, keys: ['k1', 'k2', 'k3', 'k4', 'k5'] }],
    [{ startSeq: 3 }, { info: { start: 3, end: 5 }, keys: ['k3', 'k4', 'k5'] }],
    [
      { startSeq: 2, endSeq: 3 },
      { info: { start: 2, end: 3 }, keys: ['k2', 'k3'] },
    ],
    [
      { startSeq: 2, limit: 2 },
      { info: { start: 2, end: 3 }, keys: ['k2', 'k3'] },
    ],
    [
      { startSeq: 4, limit: 9 },
      { info: { start: 4, end: 5 }, keys: ['k4', 'k5'] },
    ],
    [
      { startSeq: 4, endSeq: 99 },
      { info: { start: 4, end: 5 }, keys: ['k4', 'k5'] },
    ],
    [{ startSeq: 6 }, none],
    [{ startSeq: 1e20 }, none],
    [{ startSeq: 4, endSeq: 3 }, none],
    [{ limit: 0 }, none],
  ];
  for (const [range, wanted] of cases)
    assert.deepEqual(await read(store, range), wanted, JSON.stringify(range));
  assert.equal(store.store.openIterators, 0);
});

test('an empty log covers nothing', async t => {
  assert.deepEqual(await read(await withRecords(t, 0), {}), { info: { start: null, end: null }, keys: [] });
});

test('a read sees what was committed before it, and nothing after', async t => {
  const store = await withRecords(t, 2);
  const { info, log } = await store.recordLog.read({});
  await store.databases.put(BUCKET, 'late', '{}', PLAIN);
  assert.deepEqual(info, { start: 1, end: 2 });
  assert.equal((await collect(log)).length, 2);
});

test('a number that another daemon left out ends a read, and the next one begins after it', async t => {
  const store = await withRecords(t, 6);
  await store.store.batch([
    { type: 'del', key: recordKey(3) },
    { type: 'del', key: recordKey(4) },
  ]);
  assert.deepEqual((await read(store, {})).keys, ['k1', 'k2']);
  assert.deepEqual(await read(store, { startSeq: 3, limit: 1 }), {
    info: { start: 5, end: 5 },
    keys: ['k5'],
  });
});

test('an empty item stands for a damaged record, so that a reader that counts items gets past it', async t => {
  const store = await withRecords(t, 5);
  for (const seq of [2, 3, 5])
    await store.store.batch([{ type: 'put', key: recordKey(seq), value: '{"type":"put","db":' }]);
  const told: unknown[] = [];
  const { info, log } = await store.recordLog.read({}, err => told.push(err));
  assert.deepEqual(info, { start: 1, end: 5 });
  assert.deepEqual(
    (await collect(log)).map(({ db, entries }) => [db, entries.map(({ key }) => key)]),
    [
      ['bucket', ['k1']],
      ['', []],
      ['', []],
      ['bucket', ['k4']],
      ['', []],
    ],
  );
  for (const [index, seq] of [2, 3, 5].entries()) {
    const err = told[index];
    assert.ok(isErrorType(err, 'InternalError') && err.message.includes(`record ${seq}`));
  }
  assert.equal(store.store.openIterators, 0);
});

test('a reader that counts items gets over numbers that are missing, however many and wherever', async t => {
  const store = await withRecords(t, 9);
  const gone = [1, 3, 6, 7];
  const far = 9 + 10 ** 12;
  const value = (await store.store.get(recordKey(9))) ?? '';
  await store.store.batch([
    ...gone.map(seq => ({ type: 'del' as const, key: recordKey(seq) })),
    { type: 'put', key: recordKey(far), value: value.replace('"k9"', '"far"') },
  ]);
  await store.recordLog.recover();
  for (const limit of [1, 2, 1000]) {
    const keys: string[] = [];
    for (let startSeq = 1; ;) {
      const { info, log } = await store.recordLog.read({ startSeq, limit });
      if (info.start === null) break;
      const items = await collect(log);
      assert.ok(items.length > 0);
      keys.push(...items.map(({ entries: [entry] }) => entry?.key ?? ''));
      startSeq = info.start + items.length;
    }
    assert.deepEqual(keys, ['k2', 'k4', 'k5', 'k8', 'k9', 'far']);
  }
});

test('a damaged newest record does not keep the module from starting, nor its number from counting', async t => {
  const place = await MEMDOWN.place(t);
  const store = await openStore(t, { level: await place.level() });
  for (const key of ['k1', 'k2', 'k3']) await store.databases.put(BUCKET, key, '{}', PLAIN);
  for (const seq of [2, 3]) await store.store.batch([{ type: 'put', key: recordKey(seq), value: '{' }]);
  await store.close();
  const again = await openStore(t, { level: await place.level() });
  assert.equal(again.recordLog.last, 3);
  await again.databases.put(BUCKET, 'k4', '{}', PLAIN);
  assert.deepEqual((await read(again, { startSeq: 4 })).keys, ['k4']);
});

test('numbers go on after a restart', async t => {
  const place = await MEMDOWN.place(t);
  for (let round = 0; round < 3; round += 1) {
    const store = await openStore(t, { level: await place.level() });
    await store.databases.put(BUCKET, `k${round}`, '{}', PLAIN);
    assert.equal(store.recordLog.last, round + 1);
    await store.close();
  }
});

test('keys in the log that are none of a record stop the start with their names, and go when that is accepted', async t => {
  const place = await MEMDOWN.place(t);
  const store = await openStore(t, { level: await place.level() });
  for (let n = 1; n <= 3; n += 1) await store.databases.put(BUCKET, `k${n}`, '{}', PLAIN);
  const foreign = ['\x10000000000000002', '000000000000000p', 'zzz'].map(name => RECORD_LOG.keyOf(name));
  await store.store.batch([
    ...foreign.map(key => ({ type: 'put' as const, key, value: '{}' })),
    { type: 'del', key: recordKey(3) },
  ]);
  // Who reads meanwhile gets past them.
  assert.deepEqual((await read(store, {})).keys, ['k1', 'k2']);
  await store.close();
  await assert.rejects(openStore(t, { level: await place.level() }), {
    name: 'StartError',
    message: /the record log holds the key .*zzz.*restore.*METADATA_ACCEPT_LOSS=true/,
  });
  const again = await openStore(t, { level: await place.level(), acceptLoss: true });
  assert.equal(again.losses, 3);
  assert.equal(again.recordLog.last, 2);
  // Numbers that they may have had are not given again.
  await again.databases.put(BUCKET, 'k6', '{}', PLAIN);
  assert.deepEqual(await read(again, { startSeq: 3 }), { info: { start: 6, end: 6 }, keys: ['k6'] });
  for (const key of foreign) assert.equal(await again.store.get(key), undefined);
  await again.close();
  const quiet = await openStore(t, { level: await place.level() });
  assert.deepEqual([quiet.losses, quiet.recordLog.last], [0, 6]);
});

test('a reader whose place cannot be read stops the start with its name, and is not known when that is accepted', async t => {
  const place = await MEMDOWN.place(t);
  const store = await openStore(t, { level: await place.level() });
  const damaged = [READERS.keyOf('mine'), HOLDERS.keyOf('mine')];
  await store.store.batch(damaged.map(key => ({ type: 'put', key, value: '{"nextSeq"' })));
  await store.close();
  await assert.rejects(openStore(t, { level: await place.level() }), {
    name: 'StartError',
    message: /the place of a reader of the record log, .*readers!mine.* cannot be read; .*holders!mine/,
  });
  const again = await openStore(t, { level: await place.level(), acceptLoss: true });
  assert.deepEqual(again.readers, []);
  await again.close();
  assert.equal((await openStore(t, { level: await place.level() })).losses, 0);
});
