import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { runToExit } from '@zenko-modules/common/testing/daemon-process';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { freePort } from '@zenko-modules/common/testing/test-server';
import { followTopic } from '../../testing/follow-topic.js';
import { writeFilter } from '../../testing/own-filter.js';
import { metric, readiness } from '../../testing/probe.js';
import { eventually } from '../../testing/eventually.js';
import { POPULATOR_MAIN, putEntry, startMetadata, startPopulator } from '../../testing/stack.js';

/** A DATA_DIR of the test's own, and the extension that publishes every change of a bucket `b…` to `all`. */
async function place(t: TestContext): Promise<{ data: string; env: Record<string, string> }> {
  const data = await mkdtemp(path.join(os.tmpdir(), 'zenko-populator-'));
  t.after(() => rm(data, { recursive: true, force: true, maxRetries: 5 }));
  await writeFilter(
    path.join(data, 'own'),
    'recorder',
    `if (!bucket.startsWith('b')) return;
    if (value === 'throw') throw new Error('this filter does not like it');
    this.publish('all', bucket + '/' + key, JSON.stringify([type, key, value]));`,
  );
  return { data, env: { EXTENSIONS_PATH: path.join(data, 'own'), LOG_LEVEL: 'warn' } };
}

/** What is in topic `all`, as it grows: `[type, key, value]` each. */
function follow(t: TestContext, data: string, topic = 'all'): Promise<string[][]> {
  const folder = path.join(data, 'extensions', 'queue');
  return followTopic(t, folder, topic, value => JSON.parse(value) as string[]);
}

/** In the order in which they came first: what is published again after a crash does not count. */
function firsts(found: readonly string[][], key: string): string[] {
  return [...new Set(found.filter(entry => entry[1] === key).map(([, , value]) => value ?? 'deleted'))];
}

test('changes are published in their order, deletions too, and soon', async t => {
  const { data, env } = await place(t);
  const metadata = await startMetadata(t, data);
  await putEntry(metadata, 'b1', 'before', '1');
  const populator = await startPopulator(t, data, metadata.port, env);
  const found = await follow(t, data);
  await eventually(() => found.length === 1, 'what was there before came');
  const delays: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await putEntry(metadata, 'b1', 'k', String(i));
    await eventually(() => found.length === i + 2, 'the change came');
    delays.push(performance.now() - start);
    await sleep(50);
  }
  t.diagnostic(`from put to processor, ms: ${delays.map(ms => ms.toFixed(0)).join(' ')}`);
  await metadata.rpc.call('del', { rpcArgs: ['k', {}], subLevel: ['b1'] });
  await putEntry(metadata, 'other', 'k', 'not for us');
  await putEntry(metadata, 'b1', 'last', 'x');
  await eventually(() => found.length === 8, 'the last came');
  assert.deepEqual(firsts(found, 'k'), ['0', '1', '2', '3', '4', 'deleted']);
  assert.equal((await readiness(populator.ports.POPULATOR_PROBE_PORT)).status, 200);
  assert.deepEqual(await populator.kill(), { code: 0, signal: null });
});

test('an entry whose filter keeps failing is parked, for that extension only, and the others of it come', async t => {
  const { data, env } = await place(t);
  const metadata = await startMetadata(t, data);
  const populator = await startPopulator(t, data, metadata.port, { ...env, POPULATOR_FILTER_ATTEMPTS: '2' });
  const found = await follow(t, data);
  const parked = {
    recorder: await follow(t, data, 'recorder-failed'),
    hello: await follow(t, data, 'backbeat-hello-world-failed'),
  };
  await putEntry(metadata, 'b1', 'k', 'throw');
  await putEntry(metadata, 'b1', 'helloworld', 'no json');
  await putEntry(metadata, 'b1', 'helloworld', {});
  await putEntry(metadata, 'b1', 'k', 'good');
  await eventually(() => found.length === 3, 'the others came');
  assert.deepEqual(firsts(found, 'k'), ['good']);
  await eventually(() => parked.recorder.length === 1 && parked.hello.length === 1, 'one of each is parked');
  const port = populator.ports.POPULATOR_PROBE_PORT;
  // A message may be seen before its publisher has counted it.
  for (const [name, extension, count] of [
    ['populator_filter_failures_total', 'recorder', 2],
    ['populator_parked_total', 'recorder', 1],
    ['populator_parked_total', 'helloWorld', 1],
    ['populator_published_total', 'helloWorld', 2],
    ['populator_published_total', 'recorder', 4],
  ] as const) {
    const counted = async (): Promise<boolean> =>
      (await metric(port, name, `extension="${extension}"`)) === count;
    await eventually(counted, `${name} of ${extension} is ${count}`);
  }
  await populator.printed(/this filter does not like it/);
});

test('it may be started first, says that it waits, and survives restarts of the metadata module', async t => {
  const { data, env } = await place(t);
  const metadata = await startMetadata(t, data);
  await metadata.kill();
  const populator = await startPopulator(t, data, metadata.port, env);
  const { status, reason } = await readiness(populator.ports.POPULATOR_PROBE_PORT);
  assert.equal(status, 503);
  assert.match(reason, /record log/);
  const found = await follow(t, data);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await metadata.start();
    await putEntry(metadata, 'b1', signal, 'x');
    await eventually(() => firsts(found, signal).length === 1, 'the change came');
    await metadata.kill(signal);
  }
});

test('killed again and again, it loses nothing and keeps the order', async t => {
  const random = seededRandom(t);
  const { data, env } = await place(t);
  const metadata = await startMetadata(t, data);
  const found = await follow(t, data);
  const keys = ['a', 'b', 'c', 'd'];
  const total = 1500;
  const writing = (async () => {
    for (let i = 0; i < total; i++) await putEntry(metadata, 'b1', keys[i % keys.length] ?? '', String(i));
  })();
  let kills = 0;
  const small = { ...env, POPULATOR_BATCH_RECORDS: '50', QUEUE_SEGMENT_BYTES: '20000' };
  const complete = (): boolean =>
    keys.every((key, at) => firsts(found, key).length === Math.ceil((total - at) / keys.length));
  while (kills < 6) {
    const populator = await startPopulator(t, data, metadata.port, small);
    await sleep(random.integer(0, 300));
    await populator.kill('SIGKILL');
    kills++;
  }
  await writing;
  await startPopulator(t, data, metadata.port, small);
  await eventually(complete, 'every change came');
  for (const key of keys) {
    const values = firsts(found, key).map(Number);
    assert.deepEqual(
      values,
      [...values].sort((x, y) => x - y),
      `order of ${key}`,
    );
  }
  t.diagnostic(`${found.length} messages for ${total} changes after ${kills} kills`);
  assert.ok(found.length <= total + kills * 50, 'a restart publishes at most one batch again');
});

test('a second populator on the same folder stands by, and takes over when the first is killed', async t => {
  const { data, env } = await place(t);
  const metadata = await startMetadata(t, data);
  const first = await startPopulator(t, data, metadata.port, env);
  const found = await follow(t, data);
  await putEntry(metadata, 'b1', 'k', '1');
  await eventually(() => found.length === 1, 'the first works');
  const second = await startPopulator(t, data, metadata.port, env);
  await putEntry(metadata, 'b1', 'k', '2');
  await eventually(() => found.length === 2, 'the first still works');
  assert.equal((await readiness(second.ports.POPULATOR_PROBE_PORT)).status, 503);
  await first.kill('SIGKILL');
  await putEntry(metadata, 'b1', 'k', '3');
  await eventually(() => found.length >= 3, 'the second works');
  assert.deepEqual(firsts(found, 'k'), ['1', '2', '3']);
});

test('a log that was replaced by another one is noticed, and read from its start', async t => {
  const { data, env } = await place(t);
  const found = await follow(t, data);
  for (const round of ['first', 'second, longer', 'third']) {
    const store = await mkdtemp(path.join(data, 'store-'));
    const metadata = await startMetadata(t, store);
    const count = round === 'second, longer' ? 12 : 3;
    for (let i = 0; i < count; i++) await putEntry(metadata, 'b1', round, String(i));
    const populator = await startPopulator(t, data, metadata.port, env);
    await eventually(() => firsts(found, round).length === count, `all of the ${round} log came`);
    const resets = await metric(populator.ports.POPULATOR_PROBE_PORT, 'populator_log_resets_total');
    assert.equal(resets, round === 'first' ? 0 : 1, round);
    if (resets > 0) await populator.printed(/is not the one read before/);
    await populator.kill();
    await metadata.kill();
  }
});

test('records that were pruned before they were read are told of, and reading goes on', async t => {
  const { data, env } = await place(t);
  const metadata = await startMetadata(t, data, { RECORD_LOG_MAX_RECORDS: '5' });
  const found = await follow(t, data);
  await putEntry(metadata, 'b1', 'k', 'first');
  const populator = await startPopulator(t, data, metadata.port, env);
  await eventually(() => found.length === 1, 'the first came');
  await populator.kill();
  await metadata.recordLog.call('forgetReader', { rpcArgs: ['populator'], logName: 's3-recordlog' });
  for (let i = 0; i < 30; i++) await putEntry(metadata, 'b1', 'k', String(i));
  await metadata.recordLog.call('pruneRecords', { rpcArgs: [{}], logName: 's3-recordlog' });
  const again = await startPopulator(t, data, metadata.port, env);
  await eventually(() => firsts(found, 'k').includes('29'), 'the last came');
  await again.printed(/records were pruned before they were read/);
  const resets = (): Promise<number> =>
    metric(again.ports.POPULATOR_PROBE_PORT, 'populator_log_resets_total', 'pruned');
  await eventually(async () => (await resets()) === 1, 'it is counted');
});

test('what the populator has not read is not pruned', async t => {
  const { data, env } = await place(t);
  const metadata = await startMetadata(t, data, { RECORD_LOG_MAX_RECORDS: '5' });
  const found = await follow(t, data);
  await putEntry(metadata, 'b1', 'k', 'first');
  const populator = await startPopulator(t, data, metadata.port, env);
  await eventually(() => found.length === 1, 'the first came');
  await populator.kill('SIGKILL');
  for (let i = 0; i < 60; i++) await putEntry(metadata, 'b1', 'k', String(i));
  await metadata.recordLog.call('pruneRecords', { rpcArgs: [{}], logName: 's3-recordlog' });
  await startPopulator(t, data, metadata.port, env);
  await eventually(() => firsts(found, 'k').length === 61, 'all came');
});

test('a stream of records is caught up, then followed', async t => {
  const { data, env } = await place(t);
  const metadata = await startMetadata(t, data);
  const records = Number(process.env.TEST_RECORDS ?? 10_000);
  const value = JSON.stringify({ key: 'k', pad: 'x'.repeat(1000) });
  for (let i = 0; i < records; i += 500) {
    const some = Array.from({ length: 500 }, (_, j) => putEntry(metadata, 'c1', `k${i + j}`, value));
    await Promise.all(some);
  }
  const found = await follow(t, data);
  const start = performance.now();
  const populator = await startPopulator(t, data, metadata.port, env);
  const port = populator.ports.POPULATOR_PROBE_PORT;
  await eventually(async () => (await metric(port, 'populator_records_total')) >= records, 'all were read');
  const seconds = (performance.now() - start) / 1000;
  t.diagnostic(`${records} records in ${seconds.toFixed(1)} s, with the start of the populator`);
  await putEntry(metadata, 'b1', 'new', 'x');
  await eventually(() => found.length === 1, 'the new one came');
});

test('a damaged offset and a wrong setting are refused in one line', async t => {
  const { data, env } = await place(t);
  const refused = async (more: Record<string, string>, message: RegExp): Promise<void> => {
    const { code, output } = await runToExit(t, {
      entry: POPULATOR_MAIN,
      env: {
        DATA_DIR: data,
        METADATA_PORT: String(await freePort()),
        POPULATOR_PROBE_PORT: '0',
        ...env,
        ...more,
      },
    });
    assert.equal(code, 1, output);
    assert.match(output, message);
    assert.equal(output.trim().split('\n').length, 1, output);
  };
  await refused({ POPULATOR_POLL_MS: 'soon' }, /POPULATOR_POLL_MS: "soon" is not accepted/);
  await refused({ KAFKA_HOSTS: 'a b' }, /KAFKA_HOSTS: "a b" is not accepted/);
  await refused({ KAFKA_HOSTS: 'k:1', KAFKA_SASL_USER: 'u' }, /KAFKA_SASL_MECHANISM, KAFKA_SASL_USER/);
  await refused({ EXTENSIONS_PATH: path.join(data, 'none') }, /EXTENSIONS_PATH: cannot read the folder/);
  await refused({ EXTENSIONS_HELLOWORLD_TOPIC: 'a b' }, /extensions\.helloWorld: topic: expected/);
  await refused({ DATA_DIR: path.join(data, 'none') }, /DATA_DIR: folder .* does not exist/);
  const folder = path.join(data, 'extensions', 'populator');
  await mkdir(folder, { recursive: true });
  for (const content of ['', '{"nextSeq":', '{"nextSeq":0}', '{"nextSeq":"a"}']) {
    await writeFile(path.join(folder, 'offset.json'), content);
    await refused({}, /offset\.json is damaged/);
    assert.equal(await readFile(path.join(folder, 'offset.json'), 'utf8'), content);
  }
});
