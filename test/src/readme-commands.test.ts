/** The first commands of the README, as printed. The others need Docker, CloudServer or the AWS command line. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { openPage } from '@zenko-modules/extensions/testing/printed-commands';
import { README } from './support/readme.js';

const COMMANDS = [...(await readFile(README, 'utf8')).matchAll(/^```sh\n(.*?)\n```$/gms)].map(
  ([, text = '']) => text,
);

test('npm start, and the object that gets its tag', async t => {
  const [start, tryIt] = COMMANDS;
  // What is installed is not installed again, under the feet of the other tests.
  assert.equal(start, 'npm ci && npm start');
  const page = await openPage(t);
  const running = page.start('npm start');
  await running.printed(/Ctrl-C stops everything/);
  assert.match(await page.run(tryIt ?? ''), /its tags are\n {2}greeted-by=me\n {2}hello=world\n/);
  await running.interrupt();
  assert.match(running.output(), /stopping/);
});

test('the next npm start, on another port', async t => {
  const other = /`(EXTENSIONS=\S+ npm start)`/.exec(await readFile(README, 'utf8'))?.[1] ?? '';
  const page = await openPage(t);
  const running = page.start(other);
  await running.printed(/extensions {7}helloWorld, sortByType/);
  await running.interrupt();
});
