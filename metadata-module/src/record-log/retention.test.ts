import assert from 'node:assert/strict';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { readSettings } from '@zenko-modules/common/settings';
import { leveldown } from '../leveldowns/leveldown-binding.js';
import { call } from '../leveldowns/level-calls.js';
import { METADATA_SETTINGS } from '../metadata-settings.js';
import { recordKey } from './record.js';
import { streamIdOf, WireClient } from '../testing/socket-io-clients.js';
import { startModule } from '../testing/start-module.js';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';

interface Clients {
  readonly write: (count: number) => Promise<void>;
  readonly log: WireClient;
  readonly close: () => Promise<void>;
}

async function start(
  t: TestContext,
  folder: string,
  maxRecords: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Clients> {
  const limit = { RECORD_LOG_MAX_RECORDS: String(maxRecords) };
  const module = await startModule(t, { DATA_DIR: folder, ...limit, ...env });
  const metadata = await WireClient.connect(t, module.metadataUrl);
  const log = await WireClient.connect(t, module.recordLogUrl);
  const write = async (count: number): Promise<void> => {
    const puts = Array.from({ length: count }, (_, n) =>
      metadata.call('put', { rpcArgs: [`k${n}`, '{}', {}], subLevel: ['bucket'] }),
    );
    for (const { err } of await Promise.all(puts)) assert.equal(err, null);
  };
  return { write, log, close: () => module.close() };
}

async function read(
  log: WireClient,
  options: unknown,
): Promise<{ start: number | null; end: number | null }> {
  const { err, result } = await log.call('readRecords', { rpcArgs: [options] });
  assert.equal(err, null);
  const { info } = result as { info: { start: number | null; end: number | null } };
  const items = await log.items(streamIdOf(result));
  assert.equal(items.length, info.start === null || info.end === null ? 0 : info.end - info.start + 1);
  return info;
}

const prune = async (log: WireClient, options?: unknown): Promise<unknown> => {
  const { err, result } = await log.call('pruneRecords', { rpcArgs: options === undefined ? [] : [options] });
  assert.equal(err, null);
  return result;
};

test('the log keeps the newest records, and numbers go on over a restart', async t => {
  const folder = await temporaryFolder(t);
  const first = await start(t, folder, 100);
  await first.write(350);
  await prune(first.log);
  assert.deepEqual(await read(first.log, {}), { start: 251, end: 350 });
  assert.deepEqual(await read(first.log, { startSeq: '10', limit: '5' }), { start: 251, end: 255 });
  await first.close();
  const second = await start(t, folder, 100);
  await second.write(1);
  await prune(second.log);
  assert.deepEqual(await read(second.log, {}), { start: 252, end: 351 });
});

test('old records go by themselves', async t => {
  const { write, log } = await start(t, await temporaryFolder(t), 100);
  await write(300);
  for (let tries = 0; ; tries += 1) {
    await write(1);
    const { start: first, end } = await read(log, {});
    assert.ok(first !== null && end !== null);
    assert.ok(end - first + 1 >= 100);
    if (end - first + 1 <= 115) return;
    assert.ok(tries < 500, `${end - first + 1} records are kept`);
  }
});

test('the newest record is never pruned', async t => {
  const { write, log } = await start(t, await temporaryFolder(t), 1);
  await write(20);
  await prune(log, { endSeq: 9999 });
  assert.deepEqual(await read(log, {}), { start: 20, end: 20 });
});

test('endSeq limits what is pruned, and a prune says what it did', async t => {
  const folder = await temporaryFolder(t);
  const writer = await start(t, folder, 1_000_000);
  await writer.write(20);
  assert.deepEqual(await prune(writer.log), { pruned: 0, start: 1, end: 20 });
  await writer.close();
  const { log } = await start(t, folder, 10);
  assert.deepEqual(await prune(log, { endSeq: '4' }), { pruned: 4, start: 5, end: 20 });
  assert.deepEqual(await prune(log), { pruned: 6, start: 11, end: 20 });
});

test('what a registered reader has not read is kept, over a restart, until it reads on or is forgotten', async t => {
  const folder = await temporaryFolder(t);
  const first = await start(t, folder, 10);
  await first.write(5);
  assert.deepEqual(await read(first.log, { startSeq: 3, limit: 1, reader: 'slow' }), { start: 3, end: 3 });
  await first.write(50);
  await prune(first.log);
  assert.deepEqual(await read(first.log, {}), { start: 3, end: 55 });
  await first.close();

  const second = await start(t, folder, 10);
  await second.write(50);
  assert.deepEqual(await prune(second.log), { pruned: 0, start: 3, end: 105 });
  await read(second.log, { startSeq: 40, limit: 1, reader: 'slow' });
  assert.deepEqual(await prune(second.log), { pruned: 37, start: 40, end: 105 });
  await read(second.log, { startSeq: 99_999, reader: 'other' });
  assert.equal((await second.log.call('forgetReader', { rpcArgs: ['slow'] })).err, null);
  await prune(second.log);
  assert.deepEqual(await read(second.log, {}), { start: 96, end: 105 });
});

test('numbers that are missing do not hold up pruning, however many', async t => {
  const folder = await temporaryFolder(t);
  const first = await start(t, folder, 10);
  await first.write(20);
  await first.close();
  const level = leveldown(path.join(folder, 'metadata', 'rootDB'));
  await call(done => level.open(done));
  const far = 10 ** 13;
  const record = JSON.stringify({
    type: 'put',
    db: 'b',
    key: 'k',
    value: '{}',
    timestamp: '2026-01-01T00:00:00.000Z',
  });
  await call(done => level.put(recordKey(far), record, done));
  await call(done => level.close(done));

  const second = await start(t, folder, 10, { METADATA_ACCEPT_LOSS: 'true' });
  await read(second.log, { startSeq: 15, limit: 1, reader: 'slow' });
  await prune(second.log);
  await second.write(20);
  await read(second.log, { startSeq: far + 15, limit: 1, reader: 'slow' });
  await prune(second.log);
  assert.deepEqual(await read(second.log, {}), { start: far + 11, end: far + 20 });
});

test('wrong arguments are named', async t => {
  const { log } = await start(t, await temporaryFolder(t), 10);
  const wrong: [string, unknown, RegExp][] = [
    ['readRecords', { startSeq: -1 }, /options\.startSeq: expected at least 0/],
    ['readRecords', { startSeq: 'one' }, /options\.startSeq: expected a whole number/],
    ['readRecords', { limit: 1.5 }, /options\.limit: expected a whole number/],
    ['readRecords', { reader: 'a b' }, /options\.reader: expected 1 to 64 letters/],
    ['readRecords', 'all', /options: /],
    ['awaitRecords', {}, /options\.startSeq: expected a whole number/],
    ['awaitRecords', { startSeq: 1, timeoutMs: -1 }, /options\.timeoutMs: expected at least 0/],
    ['pruneRecords', { endSeq: {} }, /options\.endSeq: /],
    ['forgetReader', undefined, /reader: /],
  ];
  for (const [name, argument, message] of wrong) {
    const { err } = await log.call(name, { rpcArgs: [argument] });
    assert.equal(err?.type, 'InvalidArgument');
    assert.match(err.description, message);
  }
  const other = await log.call('readRecords', { rpcArgs: [{}], logName: 'other' });
  assert.match(other.err?.description ?? '', /logName: the only log is s3-recordlog/);
  assert.equal((await log.call('createLogRecordOps', { rpcArgs: [] })).err?.type, 'NotImplemented');
});

test('RECORD_LOG_MAX_RECORDS is a million by default, and at least one', () => {
  assert.equal(readSettings(METADATA_SETTINGS, {}).RECORD_LOG_MAX_RECORDS, 1_000_000);
  assert.throws(
    () => readSettings(METADATA_SETTINGS, { RECORD_LOG_MAX_RECORDS: '0' }),
    /RECORD_LOG_MAX_RECORDS/,
  );
});
