/** Does what EXTENSIONS.md says: writes its files, runs its commands. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { BUNDLED } from './bundled/index.js';
import { eventually } from './testing/eventually.js';
import { testS3Client } from './testing/moving.js';
import { openPage, PROJECT } from './testing/printed-commands.js';
import { createBucket, putObject, tagsOf } from './testing/stack.js';
import { readSettings } from '@zenko-modules/common/settings';
import { CONFIG_SETTINGS, QUEUE_SETTINGS } from './framework/extension-settings.js';
import { loadExtensions } from './framework/loader/load-extensions.js';

const PAGE = await readFile(path.join(PROJECT, 'extensions/EXTENSIONS.md'), 'utf8');

interface Block {
  readonly language: string;
  readonly file: string | undefined;
  readonly text: string;
}

const BLOCKS: Block[] = [...PAGE.matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms)].map(
  ([, language = '', file, text = '']) => ({ language, file, text }),
);

const COMMANDS = BLOCKS.filter(({ language }) => language === 'sh').map(({ text }) => text.trim());

/** The one command of the page that holds `words`. */
function command(...words: string[]): string {
  const found = COMMANDS.filter(text => words.every(word => text.includes(word)));
  assert.equal(found.length, 1, words.join(' '));
  return found[0] ?? '';
}

test('every command of the page is run by one of these tests', () => {
  assert.equal(COMMANDS.length, 9);
});

test('the walk-through does what it says', async t => {
  const page = await openPage(t);
  const check = command('node --test');
  const create = command('extension:new');

  await t.test('the skeleton is written, and its own test passes', async () => {
    assert.match(await page.run(create), /wrote .*my-extensions\/greet\n/);
    await page.run(check);
    await assert.rejects(page.run(create), /is there already: nothing was written/);
  });

  const files = BLOCKS.filter(({ file }) => file !== undefined);
  assert.equal(files.length, 6);
  for (const { file, text } of files) await writeFile(path.join(page.folder, file ?? ''), text);

  await t.test('the test of the page passes', async () => {
    assert.match(await page.run(check), /^(#|ℹ) pass 1$/m);
  });

  await t.test('an object is tagged, by the service account', async () => {
    const running = page.start(command('EXTENSIONS_PATH', 'npm start'));
    await running.printed(/Ctrl-C stops everything/);
    const working = page.start(command('npm run processor -- greet'));
    const s3 = testS3Client(page.portOf('S3_PORT'));
    t.after(() => s3.destroy());
    await createBucket(s3, 'photos');
    await putObject(s3, 'photos', 'HelloWorld', { Tagging: 'my=own' });
    // helloWorld, which runs beside it, tags this object as well: no tag is lost for long.
    const tags = { my: 'own', greeting: 'hello', hello: 'world' };
    await eventually(
      async () => isDeepStrictEqual(await tagsOf(s3, 'photos', 'HelloWorld'), tags),
      'it has all three tags',
    );
    await working.printed(/"credentials":"account service-greet"/);
    await working.interrupt();
    await running.interrupt();
    assert.match(running.output(), /stopping/);
  });

  await t.test('parked messages are put back', async () => {
    assert.match(
      await page.run(command('npm run redrive')),
      /^0 messages of greet-failed put back into greet$/m,
    );
  });
});

test('sortByType runs with npm start, as printed', async t => {
  const page = await openPage(t);
  const running = page.start(command('EXTENSIONS=helloWorld,sortByType', 'npm start'));
  await running.printed(/extensions {7}helloWorld, sortByType/);
  await running.interrupt();
  assert.match(running.output(), /stopping/);
});

test('populator and processors of the sorting extensions run by hand, as printed', async t => {
  const page = await openPage(t);
  await mkdir(path.join(page.folder, 'data'));
  const parts = [
    command('npm run populator'),
    command('npm run processor -- sortByType'),
    command('npm run processor -- sortMusic'),
  ].map(page.start);
  for (const part of parts) await part.printed(/"msg":"listening"/);
  for (const part of parts) await part.interrupt();
});

test('each configuration on the page is accepted', async () => {
  const configurations = BLOCKS.filter(({ language, file }) => language === 'json' && file === undefined);
  assert.equal(configurations.length, 3);
  for (const { text } of configurations) {
    const env = { BACKBEAT_CONFIG: text };
    const loaded = await loadExtensions(
      readSettings({ ...CONFIG_SETTINGS, ...QUEUE_SETTINGS }, env),
      env,
      BUNDLED,
    );
    assert.deepEqual(
      [...loaded.active.keys()],
      Object.keys((JSON.parse(text) as { extensions: object }).extensions),
    );
  }
});
