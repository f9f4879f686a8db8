import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { createRegistry, startProbeServer } from '@zenko-modules/common/probe-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { DataUnderTest } from '../testing/data-under-test.js';
import { MetadataUnderTest } from '../testing/metadata-under-test.js';
import { eventsOf, runTool } from '../testing/run-tool.js';

async function startProbe(
  t: { after: (end: () => Promise<void>) => void },
  trouble?: string,
): Promise<{ readonly port: string; readonly commands: string[] }> {
  const commands: string[] = [];
  const server = await startProbeServer({
    address: '127.0.0.1',
    port: 0,
    portSetting: 'TEST_PORT',
    registry: createRegistry(),
    ready: () => (trouble === undefined ? Promise.resolve() : Promise.reject(new Error(trouble))),
    commands: {
      '/_/pause': () => void commands.push('pause'),
      '/_/resume': () => void commands.push('resume'),
    },
  });
  t.after(() => server.close());
  return { port: String(server.port), commands };
}

test('status tells of each part whether it is ready, and why not', async t => {
  const [ready, ill] = [await startProbe(t), await startProbe(t, 'the disk is full')];
  const env = { METADATA_PROBE_PORT: ready.port, DATA_PROBE_PORT: ill.port, S3_PROBE_PORT: '1' };
  const { code, stdout } = await runTool(
    t,
    [
      'status',
      '--json',
      '--only',
      'data-module',
      'metadata-module',
      's3-front',
      'more',
      '--probe',
      `more=127.0.0.1:${ready.port}`,
    ],
    env,
  );
  assert.equal(code, 1);
  const parts = eventsOf(stdout, 'part').map(({ part, status }) => [part, status]);
  assert.deepEqual(parts, [
    ['data-module', 'not ready'],
    ['metadata-module', 'ready'],
    ['s3-front', 'away'],
    ['more', 'ready'],
  ]);
  const sound = await runTool(t, ['status', '--only', 'metadata-module'], env);
  assert.deepEqual([sound.code, /^metadata-module {2}ready/.test(sound.stdout)], [0, true]);
  // In a container of a stack.
  const STATUS_PARTS = `data-module=127.0.0.1:${ill.port},hello-world=127.0.0.1:${ready.port}`;
  const unsound = await runTool(t, ['status'], { STATUS_PARTS });
  assert.equal(unsound.code, 1);
  assert.match(unsound.stdout, /^data-module {2}not ready .*the disk is full\nhello-world {2}ready .*\n$/);
  assert.equal((await runTool(t, ['status', '--only', 'nobody'], env)).code, 2);
});

test('pause and resume reach a processor; one that is away is named', async t => {
  const { port, commands } = await startProbe(t);
  assert.equal((await runTool(t, ['pause'], { PROCESSOR_PROBE_PORT: port })).code, 0);
  assert.equal((await runTool(t, ['resume', '--at', `127.0.0.1:${port}`], {})).code, 0);
  assert.deepEqual(commands, ['pause', 'resume']);
  const away = await runTool(t, ['pause', '--at', '127.0.0.1:1'], {});
  assert.equal(away.code, 2);
  assert.match(away.stderr, /pause: http:\/\/127\.0\.0\.1:1: /);
});

test('ls and cat show what is stored; what is not there is named', async t => {
  const [metadata, data] = await Promise.all([MetadataUnderTest.start(t), DataUnderTest.start(t)]);
  const env = { ...metadata.env, ...data.env };
  const [one, two] = [await data.put('hello '), await data.put('world')];
  const id = await metadata.put('b', 'a/k', { location: [{ key: one }, { key: two }] }, { versioning: true });
  await metadata.put('b', 'other', { location: null });
  assert.equal((await runTool(t, ['ls'], env)).stdout, 'b\n');
  assert.equal((await runTool(t, ['ls', 'b/a/'], env)).stdout, `"a/k"\n"a/k", version "${id}"\n`);
  assert.equal((await runTool(t, ['cat', 'b/a/k'], env)).stdout, 'hello world');
  assert.equal((await runTool(t, ['cat', 'b/a/k', '--version-id', id], env)).stdout, 'hello world');
  const missing = await runTool(t, ['cat', 'b/none'], env);
  assert.deepEqual([missing.code, missing.stderr], [2, 'zenko-modules: b: "none": there is none\n']);
  await data.lose(two);
  const lost = await runTool(t, ['cat', 'b/a/k'], env);
  assert.equal(lost.code, 2);
  assert.match(lost.stderr, /its blob [0-9a-f]{40} is missing/);
});

test('accounts is the command of the extensions, and fails as it does', async t => {
  const file = path.join(await temporaryFolder(t), 'authdata.json');
  assert.equal((await runTool(t, ['accounts', file], {})).code, 0);
  assert.match(await readFile(file, 'utf8'), /"accounts"/);
  const twice = await runTool(t, ['accounts', file], {});
  assert.equal(twice.code, 2);
  assert.match(twice.stderr, /is there already/);
});
