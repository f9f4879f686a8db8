/** What STORES.md shows is run: its store passes the contract suite, and the module serves it by DATA_BACKEND. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isErrorType } from '@zenko-modules/common/errors';
import { runToExit } from '@zenko-modules/common/testing/daemon-process';
import { HttpStore } from '../testing/http-store.js';
import { startTestModule } from '../testing/start-module.js';

const ROOM = fileURLToPath(new URL('../../', import.meta.url));
const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** A folder inside the project, so that the page's imports are found, with the page's files in it. */
async function filesOfPage(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(ROOM, 'dist', 'page-'));
  t.after(() => rm(folder, { recursive: true }));
  const page = await readFile(path.join(ROOM, 'STORES.md'), 'utf8');
  const files = [...page.matchAll(/```js\n\/\/ (\S+)\n([^]*?)```/g)];
  assert.deepEqual(
    files.map(([, name]) => name),
    ['my-store.js', 'my-store.test.js'],
  );
  for (const [, name = '', code = ''] of files) await writeFile(path.join(folder, name), code);
  return folder;
}

test("the page's store passes the page's test: the contract suite", { timeout: 120_000 }, async t => {
  const folder = await filesOfPage(t);
  // Its tests report to nobody else: without this variable they would count among these.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const child = spawn(process.execPath, ['--test', '--test-reporter=tap', 'my-store.test.js'], {
    cwd: folder,
    env,
  });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (output += String(data)));
  const code = await new Promise(resolve => child.once('close', resolve));
  assert.equal(code, 0, output);
  assert.ok(Number(/^# pass (\d+)$/m.exec(output)?.[1]) >= 24, output);
});

test("the module serves the page's store, which reads a setting of its own", async t => {
  const folder = await filesOfPage(t);
  const backend = path.join(folder, 'my-store.js');
  const module = await startTestModule(t, { DATA_BACKEND: backend, MEMORY_LIMIT_BYTES: '1000' });
  const store = new HttpStore(module.port);
  t.after(() => store.close());
  const key = await store.put(Readable.from(['bytes']), 5);
  assert.equal(await text(await store.get(key)), 'bytes');
  const tooMuch = store.put(Readable.from(['x'.repeat(1000)]), 1000);
  await assert.rejects(
    tooMuch,
    err => isErrorType(err, 'ServiceUnavailable') && err.message === 'the memory is full',
  );

  const env = { DATA_BACKEND: backend, MEMORY_LIMIT_BYTES: 'much', DATA_PORT: '0', DATA_PROBE_PORT: '0' };
  const { code, output } = await runToExit(t, { entry: MAIN, env });
  assert.equal(code, 1);
  assert.equal(output, 'data-module: MEMORY_LIMIT_BYTES: expected a number of bytes\n');
});
