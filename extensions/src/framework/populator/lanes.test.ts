/** What holds up one extension, or one place of the log, holds up nothing else. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { startRpcServer } from '@zenko-modules/rpc/server';
import { StreamResult } from '@zenko-modules/rpc/service';
import { RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../testing/eventually.js';
import { followTopic } from '../../testing/follow-topic.js';
import { writeFilter } from '../../testing/own-filter.js';
import { metric, readiness } from '../../testing/probe.js';
import { putEntry, startMetadata, startPopulator } from '../../testing/stack.js';

function writePublisher(data: string, name: string): Promise<void> {
  const filter = `if (bucket === 'b1') this.publish('${name}', bucket + '/' + key, value);`;
  return writeFilter(path.join(data, 'own'), name, filter);
}

/** Extensions that publish the values of bucket `b1` to a topic of their own name. */
async function place(t: TestContext, ...names: string[]) {
  const data = await temporaryFolder(t);
  for (const name of names) await writePublisher(data, name);
  const env = {
    EXTENSIONS_PATH: path.join(data, 'own'),
    EXTENSIONS_HELLOWORLD_ENABLED: 'false',
    LOG_LEVEL: 'warn',
  };
  return { data, env, queueFolder: path.join(data, 'extensions', 'queue') };
}

function follow(t: TestContext, folder: string, topic: string, group?: string): Promise<string[]> {
  return followTopic(t, folder, topic, value => value, group);
}

test('a topic that refuses holds up its own extension only, which goes on where it was, also after a restart', async t => {
  const { data, env, queueFolder } = await place(t, 'held', 'free');
  const metadata = await startMetadata(t, data);
  // Where the folder of the topic should be: nothing can be published to it.
  await mkdir(queueFolder, { recursive: true });
  await writeFile(path.join(queueFolder, 'held'), '');
  const free = await follow(t, queueFolder, 'free');
  const small = { ...env, POPULATOR_BATCH_RECORDS: '10' };
  const values = Array.from({ length: 100 }, (_, i) => String(i));
  const first = await startPopulator(t, data, metadata.port, small);
  for (const value of values.slice(0, 50)) await putEntry(metadata, 'b1', 'k', value);
  await eventually(() => free.length === 50, 'the other extension has everything');
  const port = first.ports.POPULATOR_PROBE_PORT;
  await eventually(async () => (await readiness(port)).status === 503, 'it says that something is wrong');
  assert.match((await readiness(port)).reason, /^extension held: cannot publish to held/);
  assert.ok((await metric(port, 'populator_behind_seconds', 'held')) > 0);
  await first.kill();
  const second = await startPopulator(t, data, metadata.port, small);
  for (const value of values.slice(50)) await putEntry(metadata, 'b1', 'k', value);
  await eventually(() => new Set(free).size === 100, 'the other extension has the rest');
  await rm(path.join(queueFolder, 'held'));
  const held = await follow(t, queueFolder, 'held');
  await eventually(() => new Set(held).size === 100, 'nothing is lost');
  for (const found of [free, held]) assert.deepEqual([...new Set(found)], values);
  const again = second.ports.POPULATOR_PROBE_PORT;
  await eventually(async () => (await readiness(again)).status === 200, 'it is ready');
  await eventually(async () => (await metric(again, 'populator_behind_seconds')) === 0, 'it is not behind');
});

test('a topic whose backlog passes the bound gets no more, and goes on by itself when it is worked off', async t => {
  const { data, env, queueFolder } = await place(t, 'bounded', 'free');
  const file = path.join(data, 'own', 'bounded', 'index.mjs');
  const text = await readFile(file, 'utf8');
  const processor =
    "queueProcessor: class { async processEntry() {} }, configValidator: (all, own) => ({ topic: 'bounded', ...own }),";
  await writeFile(file, text.replace("version: '1.0.0',", `version: '1.0.0', ${processor}`));
  const metadata = await startMetadata(t, data);
  const free = await follow(t, queueFolder, 'free');
  const small = { ...env, POPULATOR_BATCH_RECORDS: '10', EXTENSION_BOUNDED_MAX_BACKLOG: '20' };
  const populator = await startPopulator(t, data, metadata.port, small);
  const values = Array.from({ length: 200 }, (_, i) => String(i));
  for (const value of values) await putEntry(metadata, 'b1', 'k', value);
  await eventually(() => free.length === 200, 'the other extension has everything');
  await populator.printed(/publishes no more to this topic/);
  const published = (): Promise<number> =>
    metric(populator.ports.POPULATOR_PROBE_PORT, 'populator_published_total', 'topic="bounded"');
  const held = await published();
  assert.ok(held >= 20 && held <= 40, `${held} were published`);
  const worked = await follow(t, queueFolder, 'bounded', 'bounded-group');
  await eventually(() => worked.length === 200, 'the rest comes by itself');
  assert.deepEqual(worked, values);
});

/** leveldown, as the metadata module has it. */
const leveldown = createRequire(new URL('../../../../metadata-module/package.json', import.meta.url))(
  'leveldown',
) as (folder: string) => Record<'open' | 'close' | 'batch', (...args: unknown[]) => void>;

async function change(folder: string, operations: readonly object[]): Promise<void> {
  const level = leveldown(path.join(folder, 'metadata', 'rootDB'));
  const done = (work: (callback: (err?: Error) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => work(err => (err ? reject(err) : resolve())));
  await done(callback => level.open(callback));
  await done(callback => level.batch(operations, { sync: true }, callback));
  await done(callback => level.close(callback));
}

const recordKey = (seq: number): string => `!..recordLogs#s3-recordlog!${String(seq).padStart(16, '0')}`;

test('numbers that are missing, and records that are damaged, are told once, counted and got over', async t => {
  const { data, env, queueFolder } = await place(t, 'first', 'second');
  const metadata = await startMetadata(t, data, {
    RECORD_LOG_MAX_RECORDS: '5',
    METADATA_ACCEPT_LOSS: 'true',
  });
  const topics = [await follow(t, queueFolder, 'first'), await follow(t, queueFolder, 'second')];
  const known = { rpcArgs: [{ startSeq: 1, limit: 0, reader: 'populator' }], logName: 's3-recordlog' };
  await metadata.recordLog.call('readRecords', known);
  for (let seq = 1; seq <= 12; seq++) await putEntry(metadata, 'b1', 'k', String(seq));
  await metadata.kill();
  const far = 5_000_000_012;
  const record = {
    type: 'put',
    db: 'b1',
    key: 'k',
    value: String(far),
    timestamp: '2026-01-01T00:00:00.000Z',
  };
  await change(data, [
    ...[3, 6, 7, 12].map(seq => ({ type: 'del', key: recordKey(seq) })),
    ...[4, 9, 10].map(seq => ({ type: 'put', key: recordKey(seq), value: '{"type":"put","db":' })),
    { type: 'put', key: recordKey(far), value: JSON.stringify(record) },
    // The newest, whose key is damaged: it has no number any more.
    { type: 'put', key: recordKey(far + 1).replace('!0', '!p'), value: JSON.stringify(record) },
  ]);
  await metadata.start();
  const populator = await startPopulator(t, data, metadata.port, env);
  await putEntry(metadata, 'b1', 'k', 'new');
  const wanted = ['1', '2', '5', '8', '11', String(far), 'new'];
  await eventually(() => topics.every(found => found.length === wanted.length), 'all that is there came');
  for (const found of topics) assert.deepEqual(found, wanted);
  const port = populator.ports.POPULATOR_PROBE_PORT;
  const missing = 1 + 2 + (far - 12) + 1;
  await eventually(async () => (await metric(port, 'populator_next_record')) === far + 3, 'it is at the end');
  assert.equal(await metric(port, 'populator_missing_records_total'), missing);
  assert.equal(await metric(port, 'populator_poisoned_total', 'record'), 3);
  assert.equal((await readiness(port)).status, 200);
  await populator.printed(new RegExp(`${far - 12} numbers are missing in the record log`));
  const told = populator.output().match(/numbers are missing in the record log/g) ?? [];
  assert.equal(told.length, 4, 'each gap once, though two extensions came by');
  // What it has got over need not be kept for it.
  const prune = (): Promise<unknown> =>
    metadata.recordLog.call('pruneRecords', { rpcArgs: [{}], logName: 's3-recordlog' });
  for (let i = 0; i < 10; i++) await putEntry(metadata, 'b1', 'k', `more ${i}`);
  await eventually(async () => {
    const { start } = (await prune()) as { start: number };
    return start > far;
  }, 'the log is pruned beyond the gap');
});

test('a log that grows and shows nothing is never ready, and its reader never up to date', async t => {
  const { data, env } = await place(t, 'own');
  const nothing = { next: () => Promise.resolve({ done: true as const, value: undefined }) };
  const server = await startRpcServer({
    address: '127.0.0.1',
    port: 0,
    portSetting: 'TEST_PORT',
    log: silentLogger(),
    services: [
      {
        namespace: RECORD_LOG_NAMESPACE,
        calls: {
          readRecords: () =>
            Promise.resolve({ info: { start: null, end: null }, log: new StreamResult(nothing) }),
          awaitRecords: () => Promise.resolve({ last: 7 }),
        },
      },
    ],
  });
  t.after(() => server.close());
  const populator = await startPopulator(t, data, server.port, env);
  const port = populator.ports.POPULATOR_PROBE_PORT;
  const isTold = async (): Promise<boolean> => /shows nothing/.test((await readiness(port)).reason);
  await eventually(isTold, 'it says what is wrong');
  assert.ok((await metric(port, 'populator_behind_seconds')) > 0);
});

test('the offsets of extensions are kept by name, and a new one begins where the last of the others is', async t => {
  const { data, env, queueFolder } = await place(t, 'old');
  const metadata = await startMetadata(t, data);
  const old = await follow(t, queueFolder, 'old');
  await putEntry(metadata, 'b1', 'k', '1');
  const first = await startPopulator(t, data, metadata.port, env);
  await eventually(() => old.length === 1, 'it came');
  await first.kill();
  const folder = path.join(data, 'extensions', 'populator');
  assert.deepEqual(await readdir(folder), ['offset.old.json']);
  // As a populator before this one kept it, and one of an extension that does not run any more.
  await rename(path.join(folder, 'offset.old.json'), path.join(folder, 'offset.json'));
  await writeFile(path.join(folder, 'offset.gone.json'), '{"nextSeq":1}');
  await putEntry(metadata, 'b1', 'k', '2');
  const second = await startPopulator(t, data, metadata.port, env);
  await eventually(() => old.includes('2'), 'it goes on where it was');
  await second.kill();
  assert.deepEqual((await readdir(folder)).sort(), ['offset.json', 'offset.old.json']);
  // Another extension begins where this one is.
  await writePublisher(data, 'new');
  await putEntry(metadata, 'b1', 'k', '3');
  const third = await startPopulator(t, data, metadata.port, env);
  const added = await follow(t, queueFolder, 'new');
  await eventually(() => added.includes('3') && old.includes('3'), 'both have the third');
  assert.deepEqual(added, ['3']);
  await third.kill();
});
