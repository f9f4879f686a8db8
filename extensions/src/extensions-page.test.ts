/** Does what EXTENSIONS.md says: writes its files, runs its commands. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from './testing/eventually.js';
import { testS3Client } from './testing/moving.js';
import { createBucket, putObject, tagsOf } from './testing/stack.js';
import { readSettings } from '@zenko-modules/common/settings';
import { CONFIG_SETTINGS, QUEUE_SETTINGS } from './framework/extension-settings.js';
import { loadExtensions } from './framework/loader/load-extensions.js';

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const PAGE = await readFile(path.join(PROJECT, 'extensions/EXTENSIONS.md'), 'utf8');
const { scripts } = JSON.parse(await readFile(path.join(PROJECT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

interface Block {
  readonly language: string;
  readonly file: string | undefined;
  readonly text: string;
}

const BLOCKS: Block[] = [...PAGE.matchAll(/^```(\w+)(?: (\S+))?\n(.*?)^```$/gms)].map(
  ([, language = '', file, text = '']) => ({ language, file, text }),
);

interface Command {
  readonly env: Record<string, string>;
  readonly entry: string;
  readonly args: string[];
}

/** A line as a person types it: variables, then `npm start`, `npm run <script> -- <arguments>` or `node <arguments>`. */
function parseCommand(line: string): Command {
  const words = line.trim().split(/\s+/);
  const env: Record<string, string> = {};
  while (words[0]?.includes('=')) {
    const [name = '', value = ''] = words.shift()?.split('=', 2) ?? [];
    env[name] = value;
  }
  if (words[0] === 'node') return { env, entry: process.execPath, args: words.slice(1) };
  if (words.join(' ') === 'npm start') words.splice(1, 1, 'run', 'start');
  const [npm, verb, name = '', dashes, ...args] = words;
  assert.deepEqual([npm, verb, dashes ?? '--'], ['npm', 'run', '--'], line);
  const script = /^node (\S+)$/.exec(scripts[name] ?? '')?.[1];
  assert.ok(script, `package.json has the script ${name}`);
  return { env, entry: path.join(PROJECT, script), args };
}

test('the walk-through does what it says', async t => {
  const folder = await temporaryFolder(t);
  const data = path.join(folder, 'data');
  await mkdir(data);
  const ports = ['DATA', 'METADATA', 'S3'].flatMap(part => [`${part}_PORT`, `${part}_PROBE_PORT`]);
  ports.push('POPULATOR_PROBE_PORT', 'PROCESSOR_PROBE_PORT');
  const env = {
    PATH: process.env.PATH ?? '',
    INIT_CWD: folder,
    DATA_DIR: data,
  };
  // The page's paths are relative to where the person is.
  const here = (more: Record<string, string>): Record<string, string> =>
    Object.fromEntries(
      Object.entries({ ...env, ...more }).map(([name, value]) => [
        name,
        /_PATH$|_FILE$/.test(name) ? path.resolve(folder, value) : value,
      ]),
    );
  const files = BLOCKS.filter(({ file }) => file !== undefined);
  const commands = BLOCKS.filter(({ language }) => language === 'sh').map(({ text }) => parseCommand(text));
  assert.equal(commands.length, 5);
  assert.equal(files.length, 6);
  const [create, check, start, processor, redrive] = commands as [
    Command,
    Command,
    Command,
    Command,
    Command,
  ];
  const toEnd = ({ entry, args, env: own }: Command) => {
    const isNode = entry === process.execPath;
    return run(process.execPath, isNode ? args : [entry, ...args], { cwd: folder, env: here(own) });
  };
  const daemon = (owner: TestContext, command: Command, more: Record<string, string>) =>
    startDaemon(owner, { ...command, env: { ...here(command.env), ...more } });

  await t.test('the skeleton is written, and its own test passes', async () => {
    const { stdout } = await toEnd(create);
    assert.match(stdout, /wrote .*my-extensions\/greet\n/);
    await toEnd(check);
    await assert.rejects(toEnd(create), /is there already: nothing was written/);
  });

  for (const { file, text } of files) await writeFile(path.join(folder, file ?? ''), text);

  await t.test('the test of the page passes', async () => {
    const { stdout } = await toEnd(check);
    assert.match(stdout, /^(#|ℹ) pass 1$/m);
  });

  await t.test('an object is tagged, by the service account', async () => {
    const running = await daemon(t, start, Object.fromEntries(ports.map(name => [name, '0'])));
    const S3_PORT = String(running.ports.S3_PORT);
    assert.equal(processor.env.PROCESSOR_PROBE_PORT, '4046');
    const working = await daemon(t, processor, { S3_PORT, PROCESSOR_PROBE_PORT: '0' });
    const s3 = testS3Client(Number(S3_PORT));
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
    assert.deepEqual(await working.kill(), { code: 0, signal: null });
    assert.deepEqual(await running.kill(), { code: 0, signal: null });
  });

  await t.test('parked messages are put back', async () => {
    assert.match((await toEnd(redrive)).stdout, /^0 messages of greet-failed put back into greet\n$/);
  });
});

test('each configuration on the page is accepted', async () => {
  const configurations = BLOCKS.filter(({ language, file }) => language === 'json' && file === undefined);
  assert.equal(configurations.length, 3);
  for (const { text } of configurations) {
    const env = { BACKBEAT_CONFIG: text };
    const loaded = await loadExtensions(readSettings({ ...CONFIG_SETTINGS, ...QUEUE_SETTINGS }, env), env);
    assert.deepEqual(
      [...loaded.active.keys()],
      Object.keys((JSON.parse(text) as { extensions: object }).extensions),
    );
  }
});
