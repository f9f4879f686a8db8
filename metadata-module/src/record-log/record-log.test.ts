import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import type { MetadataStore } from '../metadata-store.js';
import { MEMDOWN } from '../testing/level-place.js';
import { BUCKET, collect, openStore, PLAIN } from '../testing/open-store.js';
import { RECORD_LOG, recordKey } from './record.js';
import type { RecordRange } from './record-log.js';

async function withRecords(t: TestContext, count: number): Promise<MetadataStore> {
  const place = await MEMDOWN.place(t);
  const store = await openStore(t, { level: await place.level() });
  for (let n = 1; n <= count; n += 1) await store.databases.put(BUCKET, `k${n}`, `{"n":${n}}`, PLAIN);
  return store;
}

async function read(store: MetadataStore, range: RecordRange): Promise<{ info: unknown; keys: string[] }> {
  const { info, log } = await store.recordLog.read(range);
  return { info, keys: (await collect(log)).map(({ entries: [{ key }] }) => key) };
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

test('a damaged record is named, and ends the read', async t => {
  const store = await withRecords(t, 3);
  await store.store.batch([{ type: 'put', key: recordKey(2), value: '{"type":"put","db":' }]);
  const { log } = await store.recordLog.read({});
  assert.equal((await log.next()).done, false);
  await assert.rejects(
    log.next(),
    err => isErrorType(err, 'InternalError') && err.message.includes('record 2'),
  );
  await log.return?.();
  assert.equal(store.store.openIterators, 0);
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

test('a foreign key in the log stops the start with its name', async t => {
  const place = await MEMDOWN.place(t);
  const store = await openStore(t, { level: await place.level() });
  await store.store.batch([{ type: 'put', key: RECORD_LOG.keyOf('zzz'), value: '{}' }]);
  await store.close();
  await assert.rejects(openStore(t, { level: await place.level() }), /the record log holds the key .*zzz/);
});
