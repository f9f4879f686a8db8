/** What STORES.md shows is run: its store passes the contract suite, and the module serves it by DATA_BACKEND. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isErrorType } from '@zenko-modules/common/errors';
import { runToExit } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { HttpStore } from '../testing/http-store.js';
import { startTestModule } from '../testing/start-module.js';

const ROOM = fileURLToPath(new URL('../../', import.meta.url));
const PROJECT = path.resolve(ROOM, '..');
const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** Of the page's shell commands those that an author gives in a folder of his own. */
const SET_UP = /^npm init/;
const RUN_TESTS = /^node --test/;

/** A folder outside the project with the page's files in it, and its commands. */
async function folderOfPage(t: TestContext): Promise<{ folder: string; commands: readonly string[] }> {
  const folder = await temporaryFolder(t);
  const page = await readFile(path.join(ROOM, 'STORES.md'), 'utf8');
  const files = [...page.matchAll(/```js\n\/\/ (\S+)\n([^]*?)```/g)];
  assert.deepEqual(
    files.map(([, name]) => name),
    ['my-store.js', 'my-store.test.js'],
  );
  for (const [, name = '', code = ''] of files) await writeFile(path.join(folder, name), code);
  return { folder, commands: [...page.matchAll(/```sh\n([^]*?)```/g)].map(([, command = '']) => command) };
}

test(
  'an author who follows the page has a store that passes the contract suite',
  { timeout: 120_000 },
  async t => {
    const { folder, commands } = await folderOfPage(t);
    const run = async (which: RegExp): Promise<string> => {
      const command = commands.find(text => which.test(text)) ?? 'false';
      // Its tests report to nobody else: without the first variable they would count among these.
      const env = {
        ...process.env,
        NODE_TEST_CONTEXT: undefined,
        ZENKO: PROJECT,
        npm_config_offline: 'true',
      };
      const child = spawn('sh', ['-ec', command], { cwd: folder, env });
      t.after(() => child.kill('SIGKILL'));
      let output = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (output += String(data)));
      assert.equal(await new Promise(resolve => child.once('close', resolve)), 0, output);
      return output;
    };
    await run(SET_UP);
    const output = await run(RUN_TESTS);
    assert.ok(Number(/^. pass (\d+)$/m.exec(output)?.[1]) >= 24, output);
  },
);

test("the module serves the page's store, which reads a setting of its own", async t => {
  const { folder } = await folderOfPage(t);
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
