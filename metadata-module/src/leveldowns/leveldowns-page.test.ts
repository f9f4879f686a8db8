/** The examples of LEVELDOWNS.md, run as they stand there. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RpcClient } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { runToExit, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { LEVEL_ERRORS } from './plugin.js';
import { LEVELDOWNS } from './registry.js';

const PAGE = fileURLToPath(new URL('../../LEVELDOWNS.md', import.meta.url));
const NODE_MODULES = fileURLToPath(new URL('../../../node_modules', import.meta.url));
const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** Writes an example of the page into a folder from which the project's packages are found. */
async function example(t: TestContext, name: string): Promise<string> {
  const page = await readFile(PAGE, 'utf8');
  const code = new RegExp(`<!-- example: ${name} -->\\s+\`\`\`js\\n(.*?)\`\`\``, 's').exec(page)?.[1];
  assert.ok(code !== undefined, `the page has no example ${name}`);
  const folder = await temporaryFolder(t);
  await symlink(NODE_MODULES, path.join(folder, 'node_modules'));
  await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
  const file = path.join(folder, name);
  await writeFile(file, code);
  return file;
}

async function roundTrip(t: TestContext, env: Readonly<Record<string, string>>): Promise<string> {
  const daemon = await startDaemon(t, {
    entry: MAIN,
    env: { DATA_DIR: await temporaryFolder(t), METADATA_PORT: '0', METADATA_PROBE_PORT: '0', ...env },
  });
  const url = `http://127.0.0.1:${daemon.ports.METADATA_PORT ?? 0}`;
  const client = new RpcClient({ url, namespace: METADATA_NAMESPACE });
  try {
    const args = { reqUids: 'test', subLevel: ['bucket'] };
    await client.call('put', { ...args, rpcArgs: ['key', '{"a":1}', {}] });
    assert.equal(await client.call('get', { ...args, rpcArgs: ['key', {}] }), '{"a":1}');
  } finally {
    client.close();
  }
  const ready = await fetch(`http://127.0.0.1:${daemon.ports.METADATA_PROBE_PORT ?? 0}/_/ready`);
  const { code } = await daemon.kill();
  assert.equal(code, 0, daemon.output());
  return `${ready.status} ${await ready.text()}`;
}

test('the example of a plug-in serves a bucket, with its own settings and readiness', async t => {
  const file = await example(t, 'my-store.js');
  assert.match(await roundTrip(t, { METADATA_BACKEND: file }), /^200 /);
  assert.match(await roundTrip(t, { METADATA_BACKEND: file, MEMORY_MAX_MIB: '1' }), /^503 .*MiB are in use/s);
  const { code, output } = await runToExit(t, {
    entry: MAIN,
    env: { DATA_DIR: await temporaryFolder(t), METADATA_BACKEND: file, MEMORY_MAX_MIB: 'all' },
  });
  assert.equal(code, 1);
  assert.match(output, /MEMORY_MAX_MIB: "all" is not accepted: expected a whole number/);
});

test('a package that exports a store serves a bucket as it is', async t => {
  assert.match(await roundTrip(t, { METADATA_BACKEND: 'memdown' }), /^200 /);
});

test('the example of a test passes', async t => {
  const child = spawn(
    process.execPath,
    ['--test', '--test-reporter=tap', await example(t, 'my-store.test.js')],
    {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (output += String(text)));
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 0, output);
  assert.match(output, /# pass \d{3}/);
});

test('the page names every LevelDOWN that we ship, and every code of an error', async () => {
  const page = await readFile(PAGE, 'utf8');
  for (const { name } of LEVELDOWNS) assert.match(page, new RegExp(`^\\| \`${name}\``, 'm'));
  for (const code of Object.values(LEVEL_ERRORS)) assert.match(page, new RegExp(`^\\| \`${code}\``, 'm'));
});
