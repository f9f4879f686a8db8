/** What the fuzzer watches is seen: an end, a hang, a rejection that nobody handles, too much memory. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { Finding, Owner } from './target.js';
import { WatchedDaemon } from './watched-daemon.js';

const project = fileURLToPath(new URL('../../..', import.meta.url));
const LISTENS = `process.on('disconnect', () => process.exit()); process.send({ ports: {} });`;

async function watch(t: TestContext, code: string, probe: () => Promise<void>, maxMemoryBytes = 2 ** 40) {
  const file = path.join(await temporaryFolder(t), 'daemon.mjs');
  await writeFile(file, code);
  const owner = new Owner();
  t.after(() => owner.close());
  const spec = { entry: path.relative(project, file), env: {}, maxMemoryBytes, probe };
  return WatchedDaemon.start(owner, spec, { hangMs: 300, note: () => undefined });
}

const good = (): Promise<void> => Promise.resolve();
const found = (text: string) => (err: unknown) => err instanceof Finding && err.message.includes(text);

test('a daemon that is sound', async t => {
  const daemon = await watch(t, LISTENS, good);
  await daemon.check();
});

test('one that ends', async t => {
  const daemon = await watch(t, `${LISTENS} setTimeout(() => process.exit(0), 1);`, async () => {
    await new Promise(resolve => setTimeout(resolve, 100));
    await daemon.exited;
  });
  await assert.rejects(daemon.check(), found('ended'));
});

test('one that does not answer', async t => {
  const daemon = await watch(t, LISTENS, () => new Promise(() => undefined));
  await assert.rejects(daemon.check(), found('does not answer'));
});

test('one that answers wrongly', async t => {
  const daemon = await watch(t, LISTENS, () => Promise.reject(new Finding('wrong bytes')));
  await assert.rejects(daemon.check(), found('wrong bytes'));
});

test('one that prints an unhandled rejection', async t => {
  const daemon = await watch(t, `console.log('unhandledRejection: x'); ${LISTENS}`, good);
  await daemon.printed(/unhandled/);
  await assert.rejects(daemon.check(), found('unhandled'));
});

test('one that holds too much memory', async t => {
  const daemon = await watch(t, LISTENS, good, 1024);
  await assert.rejects(daemon.check(), found('MiB'));
});
