import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import {
  recordedTrafficMissing,
  replayRecordedTraffic,
} from '@zenko-modules/metadata-module/testing/recorded-traffic';
import { recordKey } from '@zenko-modules/metadata-module/record-log/record';
import { MetadataUnderTest } from '../testing/metadata-under-test.js';
import { eventsOf, runTool, startTool } from '../testing/run-tool.js';

const VERSIONED = { versioning: true };

function summary(stdout: string): Record<string, unknown> {
  const [found] = eventsOf(stdout, 'summary');
  assert.ok(found, stdout);
  return found;
}

const kinds = (stdout: string): unknown[] =>
  eventsOf(stdout, 'finding').map(({ kind, database, key, repaired }) => [kind, database, key, repaired]);

test('what CloudServer wrote is sound', { skip: recordedTrafficMissing }, async t => {
  const module = await MetadataUnderTest.start(t);
  await replayRecordedTraffic(t, `http://127.0.0.1:${String(module.env.METADATA_PORT)}`);
  const { code, stdout, stderr } = await runTool(t, ['verify', '--json'], module.env);
  assert.deepEqual(kinds(stdout), []);
  assert.equal(code, 0, stderr);
  assert.ok(Number(summary(stdout).keys) > 10, stdout);
});

test('damage of every kind is named, and put right with --repair', async t => {
  const module = await MetadataUnderTest.start(t);
  const ids: Record<string, string> = {};
  for (const key of ['gone', 'garbage', 'stale', 'unlike', 'lost']) {
    await module.put('b', key, { n: 1 }, VERSIONED);
    ids[key] = await module.put('b', key, { n: 2 }, VERSIONED);
  }
  await module.put('b', 'untouched', { n: 1 }, VERSIONED);
  await module.put('b', 'plain', { n: 1 });
  const before = await module.entries('b');
  const old = (key: string): string =>
    before.find(([stored, value]) => stored.startsWith(`${key}\0`) && value.includes('"n":1'))?.[1] ?? '';
  const version = (key: string): string => `${key}\0${ids[key] ?? ''}`;
  await module.damage([
    { type: 'del', key: '!b!gone' },
    { type: 'put', key: '!b!garbage', value: '{"n":2,"ver' },
    { type: 'put', key: '!b!stale', value: old('stale') },
    { type: 'put', key: '!b!unlike', value: JSON.stringify({ n: 3, versionId: ids.unlike }) },
    { type: 'del', key: `!b!${version('lost')}` },
  ]);
  const expected = [
    ['value is not JSON', 'b', 'garbage'],
    ['no master', 'b', 'gone'],
    ['version is missing', 'b', 'lost'],
    ['master is not the newest', 'b', 'stale'],
    ['master differs', 'b', 'unlike'],
  ];
  const looked = await runTool(t, ['verify', '--json', '--no-log'], module.env);
  assert.equal(looked.code, 1, looked.stderr);
  assert.deepEqual(
    kinds(looked.stdout),
    expected.map(each => [...each, false]),
  );
  const repaired = await runTool(t, ['verify', '--no-log', '--repair', '--json'], module.env);
  assert.equal(repaired.code, 1);
  assert.deepEqual(
    kinds(repaired.stdout),
    expected.map(each => [...each, true]),
  );
  assert.deepEqual(await module.entries('b'), before);
  const again = await runTool(t, ['verify'], module.env);
  assert.equal(again.code, 0, again.stdout);
  assert.match(again.stdout, /^\d+ keys in 1 databases and \d+ records of the log: sound\n$/);
});

test('an entry that is not what the log says is named; what is missing or no JSON comes back with --from-log', async t => {
  const module = await MetadataUnderTest.start(t);
  for (const key of ['a', 'b', 'c', 'd']) await module.put('bucket', key, { n: key });
  await module.call('bucket', 'del', 'd', {});
  await module.damage([
    { type: 'put', key: '!bucket!a', value: '{"n":"another"}' },
    { type: 'put', key: '!bucket!b', value: '{"n":' },
    { type: 'del', key: '!bucket!c' },
    { type: 'put', key: '!bucket!d', value: '{}' },
  ]);
  const args = ['verify', '--json', '--repair'];
  const first = await runTool(t, args, module.env);
  const differing = (stdout: string): unknown[] =>
    eventsOf(stdout, 'finding')
      .filter(({ kind }) => kind === 'differs from log')
      .map(({ key, repaired }) => `${String(key)} ${String(repaired)}`)
      .sort();
  assert.deepEqual(differing(first.stdout), ['a false', 'b false', 'c false', 'd false']);
  assert.equal(first.code, 1);
  const second = await runTool(t, [...args, '--from-log'], module.env);
  assert.deepEqual(differing(second.stdout), ['a false', 'b true', 'c true', 'd false']);
  assert.deepEqual(await module.entries('bucket'), [
    ['a', '{"n":"another"}'],
    ['b', '{"n":"b"}'],
    ['c', '{"n":"c"}'],
    ['d', '{}'],
  ]);
});

test('records that are missing or damaged are named', async t => {
  const module = await MetadataUnderTest.start(t);
  for (let n = 0; n < 20; n += 1) await module.put('b', `k${n}`, { n });
  await module.damage([
    { type: 'del', key: recordKey(5) },
    { type: 'del', key: recordKey(6) },
    { type: 'put', key: recordKey(9), value: 'garbage' },
    // The newest, under a key that is damaged.
    { type: 'del', key: recordKey(20) },
    { type: 'put', key: recordKey(20).replace('!0', '!p'), value: 'garbage' },
  ]);
  await module.put('b', 'k20', {});
  const { code, stdout } = await runTool(t, ['verify'], module.env);
  assert.equal(code, 1);
  assert.match(stdout, /^records 5 to 6 of the log are not in the log\n|records 5 to 6 are not in the log/);
  assert.match(stdout, /record 9 of the log cannot be read/);
  assert.match(stdout, /records 20 to 20 are not in the log/);
  assert.match(stdout, /21 keys in 1 databases and 17 records of the log: 3 findings/);
});

test('what others write meanwhile is no finding', async t => {
  const module = await MetadataUnderTest.start(t);
  let ended = false;
  let writes = 0;
  const write = async (worker: number): Promise<void> => {
    const ids: string[] = [];
    for (let n = 0; !ended; n += 1) {
      const key = `k${(worker + n) % 7}`;
      if (n % 3 === 2) await module.call('b', 'del', key, { versionId: ids.pop() });
      else ids.push(await module.put('b', key, { worker, n }, VERSIONED));
      if (n % 5 === 0) await module.put('b', `plain${worker}`, { n });
      if (n % 10 === 0)
        await module.put('b', key, { n, isNull: true }, { versionId: '', deleteNullKey: true });
      writes += 1;
    }
  };
  const writers = [0, 1, 2, 3].map(write);
  for (let run = 0; run < 3; run += 1) {
    const { code, stdout, stderr } = await runTool(t, ['verify', '--json', '--repair'], module.env);
    assert.deepEqual(kinds(stdout), []);
    assert.equal(code, 0, stderr);
  }
  ended = true;
  await Promise.all(writers);
  assert.ok(writes > 20, `${writes} writes`);
  const { code, stdout } = await runTool(t, ['verify'], module.env);
  assert.equal(code, 0, stdout);
});

test('without a module that answers, or with arguments that are none, it ends with 2 and one line', async t => {
  const away = await runTool(t, ['verify'], { METADATA_PORT: '1' });
  assert.equal(away.code, 2);
  assert.match(
    away.stderr,
    /^zenko-modules: METADATA_HOST, METADATA_PORT: cannot reach .*127\.0\.0\.1:1 .*\n$/,
  );
  assert.equal(away.stdout, '');
  const wrong = await runTool(t, ['verify', '--from-log'], { METADATA_PORT: '1' });
  assert.deepEqual(
    [wrong.code, wrong.stderr],
    [2, 'zenko-modules: --from-log: only together with --repair\n'],
  );
  const unknown = await runTool(t, ['verify', '--everything'], {});
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /unknown option '--everything'/);
  const port = await runTool(t, ['verify'], { METADATA_PORT: 'x' });
  assert.equal(port.code, 2);
  assert.match(port.stderr, /METADATA_PORT: "x" is not accepted|METADATA_PORT/);
  const help = await runTool(t, ['verify', '--help'], {});
  assert.equal(help.code, 0);
  assert.match(help.stdout, /--repair/);
});

test('interrupted, it leaves nothing behind: no folder, and no reader of the log', async t => {
  const module = await MetadataUnderTest.start(t);
  for (let n = 0; n < 3000; n += 1000) {
    await Promise.all(Array.from({ length: 1000 }, (_, index) => module.put('b', `k${n + index}`, { n })));
  }
  const TMPDIR = await temporaryFolder(t);
  const { child, finished } = startTool(t, ['verify'], { ...module.env, TMPDIR });
  while ((await readdir(TMPDIR)).length === 0) await sleep(5);
  child.kill('SIGINT');
  const { code, stderr } = await finished;
  assert.deepEqual([code, stderr], [2, 'zenko-modules: interrupted\n']);
  assert.deepEqual(await readdir(TMPDIR), []);
  assert.deepEqual(await module.rawKeys('!..recordLogs#s3-recordlog#readers!'), []);
});
