import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { runToExit } from '@zenko-modules/common/testing/daemon-process';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { UUID_KEY } from '../deployment/uuid.js';
import { JsonMemcached } from '../leveldowns/jsonmemcached/json-memcached.js';
import { closeLevel, getValue, openLevel, writeBatch } from '../leveldowns/level-calls.js';
import { putState, readState } from './copy-state.js';
import {
  assertCopied,
  contentsOf,
  filledFolder,
  jsonAt,
  levelAt,
  newFolder,
  runCopy,
  startCopy,
  UUID,
} from './testing/stores.js';

const UUID_ENTRY = [Buffer.from(UUID_KEY).toString('hex'), Buffer.from(UUID).toString('hex')];

/** Bytes of the files in a folder that may not be there yet, and whose files come and go. */
async function sizeOf(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    names.map(name =>
      stat(path.join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

test('everything is copied, with the id of the deployment, from a folder to another kind of store and back', async t => {
  const [source, json, back] = [
    await filledFolder(t, 1500),
    await newFolder(t, 'json'),
    await newFolder(t, 'back'),
  ];
  const there = await runCopy(t, `leveldown:${source}`, `jsondown:${json}`);
  assert.equal(there.code, 0, there.stderr);
  assert.match(
    there.stdout,
    /^1502 entries, \d+ bytes, are in jsondown:.* as in leveldown:.*\nSHA-256 of both: [0-9a-f]{64}\n$/,
  );
  assert.equal(there.stderr, '', 'without a terminal there is no progress bar');
  await assertCopied(levelAt(source), jsonAt(json));
  assert.deepEqual(
    (await contentsOf(jsonAt(json))).find(([key]) => key === UUID_ENTRY[0]),
    UUID_ENTRY,
  );
  const again = await runCopy(t, `jsondown:${json}`, `leveldown:${back}`);
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(await contentsOf(levelAt(back)), await contentsOf(levelAt(source)));
  assert.equal(await readFile(path.join(back, 'uuid'), 'utf8'), UUID);
  assert.equal(
    again.stdout.split('\n')[1],
    there.stdout.split('\n')[1],
    'the checksum is that of the entries',
  );
});

test('into memcached', { skip: memcachedMissing }, async t => {
  const { port } = await startMemcached(t);
  const [source, target] = [await filledFolder(t, 500), await newFolder(t, 'target')];
  const env = { MEMCACHED_HOSTS: `127.0.0.1:${port}` };
  const result = await runCopy(t, `leveldown:${source}`, `jsonmemcached:${target}`, env);
  assert.equal(result.code, 0, result.stderr);
  const servers = [{ host: '127.0.0.1', port }];
  await assertCopied(
    levelAt(source),
    new JsonMemcached({ servers, folder: path.join(target, 'jsonmemcached') }),
  );
});

test('a copy that was killed goes on where it was, again and again', async t => {
  const [source, target] = [await filledFolder(t, 8000, 2000), await newFolder(t, 'target')];
  const random = seededRandom(t);
  const reached: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const { child, finished } = startCopy(t, [
      '--from',
      `leveldown:${source}`,
      '--to',
      `leveldown:${target}`,
    ]);
    const bytes = reached.length * 3_000_000 + random.integer(0, 3_000_000);
    while (child.exitCode === null && (await sizeOf(path.join(target, 'rootDB'))) < bytes) await sleep(2);
    child.kill('SIGKILL');
    const { code } = await finished;
    if (code === 0) break;
    const level = levelAt(target);
    await openLevel(level);
    const state = await readState(key => getValue(level, key));
    reached.push(state?.entries ?? 0);
    await closeLevel(level);
  }
  t.diagnostic(`killed at ${reached.join(', ')} entries`);
  assert.deepEqual(
    reached,
    [...reached].sort((a, b) => a - b),
    'no attempt began anew',
  );
  const last = await runCopy(t, `leveldown:${source}`, `leveldown:${target}`);
  if (last.code !== 0) assert.match(last.stderr, /is not empty/, 'the attempt before had completed it');
  assert.deepEqual(await contentsOf(levelAt(target)), await contentsOf(levelAt(source)));
});

test('an unfinished copy is gone on with, not begun again', async t => {
  const [source, target] = [await filledFolder(t, 100), await newFolder(t, 'target')];
  const entries = await contentsOf(levelAt(source));
  const level = levelAt(target);
  await openLevel(level);
  const half = entries.slice(0, 50).map(([key, value]) => ({
    type: 'put' as const,
    key: Buffer.from(key, 'hex'),
    value: Buffer.from(value, 'hex'),
  }));
  // What it says is there is not: had it begun again, it would be.
  const missing = half.pop();
  await writeBatch(level, [
    ...half,
    putState({ source: UUID, entries: 50, bytes: 0, lastKey: entries[49]?.[0] ?? '' }),
  ]);
  await closeLevel(level);
  const result = await runCopy(t, `leveldown:${source}`, `leveldown:${target}`);
  assert.equal(result.code, 1);
  assert.match(result.stderr, new RegExp(`key "${missing?.key.toString() ?? ''}" is missing in the target`));
  assert.equal((await contentsOf(levelAt(target))).length, entries.length - 1 + 1);
});

test('told to stop, it ends at once, says how to go on, and does', async t => {
  const [source, target] = [await filledFolder(t, 6000, 2000), await newFolder(t, 'target')];
  const { child, finished } = startCopy(t, ['--from', `leveldown:${source}`, '--to', `jsondown:${target}`]);
  while (!(await readdir(target)).includes('jsondown')) await sleep(5);
  child.kill('SIGTERM');
  const { code, stderr } = await finished;
  assert.equal(code, 1);
  assert.match(stderr, /^metadata:copy: interrupted; the same command goes on/);
  const again = await runCopy(t, `leveldown:${source}`, `jsondown:${target}`);
  assert.equal(again.code, 0, again.stderr);
  await assertCopied(levelAt(source), jsonAt(target));
});

test('a target that holds anything is refused and stays as it is', async t => {
  const [source, target] = [await filledFolder(t, 10), await filledFolder(t, 5)];
  const before = await contentsOf(levelAt(target));
  const result = await runCopy(t, `leveldown:${source}`, `leveldown:${target}`);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /--to: leveldown:.* is not empty \(it holds key "\\u0000"\)/);
  assert.deepEqual(await contentsOf(levelAt(target)), before);
});

test('the module does not start on a copy that is not complete', async t => {
  const target = await newFolder(t, 'target');
  const level = levelAt(target);
  await openLevel(level);
  await writeBatch(level, [putState({ source: 'leveldown:/old', entries: 7, bytes: 0, lastKey: '61' })]);
  await closeLevel(level);
  const entry = fileURLToPath(new URL('../main.js', import.meta.url));
  const env = { METADATA_PATH: target, METADATA_PORT: '0', METADATA_PROBE_PORT: '0' };
  const { code, output } = await runToExit(t, { entry, env });
  assert.equal(code, 1);
  assert.match(
    output,
    /^metadata-module: METADATA_BACKEND: the store is an unfinished copy of leveldown:\/old \(7 entries/,
  );
});

test('an unfinished copy of another source is refused as target, and as source', async t => {
  const [source, target] = [await filledFolder(t, 10), await newFolder(t, 'target')];
  const level = levelAt(target);
  await openLevel(level);
  await writeBatch(level, [putState({ source: 'another', entries: 0, bytes: 0, lastKey: '' })]);
  await closeLevel(level);
  const into = await runCopy(t, `leveldown:${source}`, `leveldown:${target}`);
  assert.match(into.stderr, /--to: .* is an unfinished copy of another source, another/);
  const from = await runCopy(t, `leveldown:${target}`, `jsondown:${await newFolder(t, 'json')}`);
  assert.match(from.stderr, /--from: .* is an unfinished copy itself/);
});

test('a folder with the id of another deployment is refused', async t => {
  const [source, target] = [await filledFolder(t, 10), await newFolder(t, 'target')];
  const json = await newFolder(t, 'json');
  const first = await runCopy(t, `leveldown:${source}`, `leveldown:${target}`);
  assert.equal(first.code, 0, first.stderr);
  const store = jsonAt(json);
  await openLevel(store);
  await writeBatch(store, [{ type: 'put', key: UUID_KEY, value: 'of another deployment' }]);
  await closeLevel(store);
  const level = levelAt(target);
  const entries = await contentsOf(level);
  await openLevel(level);
  await writeBatch(
    level,
    entries.map(([key]) => ({ type: 'del', key: Buffer.from(key, 'hex') })),
  );
  await closeLevel(level);
  const result = await runCopy(t, `jsondown:${json}`, `leveldown:${target}`);
  assert.equal(result.code, 1);
  assert.match(result.stderr, new RegExp(`holds the id of another deployment, ${UUID}`));
});

test('a source that is in use is refused, and no target is made', async t => {
  const [source, target] = [await filledFolder(t, 10), await newFolder(t, 'target')];
  const level = levelAt(source);
  await openLevel(level);
  const result = await runCopy(t, `leveldown:${source}`, `jsondown:${target}`);
  await closeLevel(level);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /^metadata:copy: --from: the database is in use by another process/);
  assert.deepEqual(await readdir(target), []);
});

test('a store is told that a copy does not wait for it', async t => {
  const [source, target] = [await filledFolder(t, 10), await newFolder(t, 'target')];
  const plugin = path.join(await newFolder(t, 'plugin'), 'told.mjs');
  await writeFile(
    plugin,
    "export default { name: 'told', settings: {}, create: ({ canStandBy }) => { throw new Error(`told ${canStandBy}`); } };",
  );
  const result = await runCopy(t, `leveldown:${source}`, `${plugin}:${target}`);
  assert.match(result.stderr, /^metadata:copy: --to: told false$/m);
});

test('a source that is not there is refused, and nothing is made in its place', async t => {
  const [folder, target] = [await newFolder(t, 'empty'), await newFolder(t, 'target')];
  for (const [from, message] of [
    [`leveldown:${folder}`, /--from: .* holds no LevelDB/],
    [`jsondown:${folder}`, /--from: .*does not exist/],
    [`leveldown:${folder}/missing`, /--from: folder .*missing does not exist/],
    [`leveldwon:${folder}`, /--from: cannot load "leveldwon".*expected one of leveldown, jsondown/],
  ] as const) {
    const result = await runCopy(t, from, `jsondown:${target}`);
    assert.equal(result.code, 1);
    assert.match(result.stderr, message);
  }
  assert.deepEqual(await readdir(folder), []);
  assert.deepEqual(await readdir(target), []);
});

test('a target that was changed since the copy began is found out, by key', async t => {
  const source = await filledFolder(t, 100);
  for (const [change, message] of [
    [{ type: 'put', key: '!bucket0!0é😀', value: 'other' }, /the value of key "!bucket0!0é😀" differs/],
    [{ type: 'del', key: '!bucket0!0é😀' }, /key "!bucket0!0é😀" is missing in the target/],
    [{ type: 'put', key: '!bucket0!0', value: 'more' }, /key "!bucket0!0" is in the target only/],
  ] as const) {
    const target = await newFolder(t, 'target');
    const first = await runCopy(t, `leveldown:${source}`, `leveldown:${target}`);
    assert.equal(first.code, 0, first.stderr);
    const level = levelAt(target);
    await openLevel(level);
    const entries = await contentsOf(levelAt(source));
    const lastKey = entries.at(-1)?.[0] ?? '';
    await writeBatch(level, [change, putState({ source: UUID, entries: entries.length, bytes: 0, lastKey })]);
    await closeLevel(level);
    const result = await runCopy(t, `leveldown:${source}`, `leveldown:${target}`);
    assert.equal(result.code, 1);
    assert.match(result.stderr, message);
  }
});

test('wrong arguments are refused with what is expected', async t => {
  for (const [args, message] of [
    [[], /--from and --to are both needed\n\nusage:/],
    [
      ['--from', 'leveldown', '--to', 'jsondown:/x'],
      /--from: "leveldown" is not accepted: expected <backend>:<folder/,
    ],
    [['--from', 'leveldown:/x', '--to', 'leveldown:/x/rootDB'], /are the same place/],
    [['--from', 'leveldown:/x', '--to', 'jsondown:/y', '--force'], /Unknown option '--force'/],
  ] as const) {
    const { code, stderr } = await startCopy(t, args).finished;
    assert.equal(code, 1);
    assert.match(stderr, message);
  }
  const help = await startCopy(t, ['--help']).finished;
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^usage: npm run metadata:copy/);
});

test('the folder of LevelDB itself may be named too, and a store of one’s own by package or path', async t => {
  const [source, target] = [await filledFolder(t, 10), await newFolder(t, 'target')];
  const result = await runCopy(t, `leveldown:${path.join(source, 'rootDB')}`, `leveldown:${target}`);
  assert.equal(result.code, 0, result.stderr);
  const outside = await runCopy(t, `leveldown:${source}`, `memdown:${await newFolder(t, 'memory')}`);
  assert.equal(outside.code, 0, outside.stderr);
  assert.match(outside.stdout, /^12 entries/);
});
