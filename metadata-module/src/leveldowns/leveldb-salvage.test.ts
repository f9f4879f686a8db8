/** Files of a LevelDB that are missing or damaged: each is named, and what is left can be had. */
import assert from 'node:assert/strict';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { closeLevel, openLevel, readEntries, writeBatch } from './level-calls.js';
import { leveldownPlugin } from './leveldown.js';
import { leveldown } from './leveldown-binding.js';

const ROUNDS = 3;
const KEYS = 200;

/** A folder of the module with three times 200 keys: two tables and a log. */
async function written(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  for (let round = 0; round < ROUNDS; round += 1) {
    const level = leveldown(path.join(folder, 'rootDB'));
    await openLevel(level);
    for (let n = 0; n < KEYS; n += 1)
      await writeBatch(
        level,
        [{ type: 'put', key: `${round} ${n}`, value: `${n} ${'v'.repeat(500)}` }],
        false,
      );
    await closeLevel(level);
  }
  return folder;
}

async function entriesOf(folder: string): Promise<Map<string, string>> {
  const level = await leveldownPlugin.create({ settings: {}, folder, log: silentLogger() });
  await openLevel(level);
  const found = new Map<string, string>();
  for await (const { key, value } of readEntries(level)) found.set(key.toString(), value.toString());
  await closeLevel(level);
  return found;
}

type Damage = (folder: string, find: (name: RegExp) => string) => Promise<void>;

const edit =
  (name: RegExp, change: (bytes: Buffer) => Buffer): Damage =>
  async (_folder, find) => {
    const file = find(name);
    await writeFile(file, change(await readFile(file)));
  };
const flip = (at: (length: number) => number) => (bytes: Buffer) => {
  const place = at(bytes.length);
  bytes.writeUInt8(bytes.readUInt8(place) ^ 4, place);
  return bytes;
};
const remove =
  (name: RegExp): Damage =>
  (_folder, find) =>
    rm(find(name));

/** `keys`: how many there must be at least afterwards. */
const DAMAGES: Record<string, { damage: Damage; named: RegExp; keys: number }> = {
  'CURRENT is missing': { damage: remove(/^CURRENT$/), named: /^CURRENT is missing$/, keys: 600 },
  'CURRENT is empty': {
    damage: edit(/^CURRENT$/, () => Buffer.of()),
    named: /^CURRENT is damaged$/,
    keys: 600,
  },
  'CURRENT names another manifest': {
    damage: edit(/^CURRENT$/, () => Buffer.from('MANIFEST-000999\n')),
    named: /^MANIFEST-000999 is missing$/,
    keys: 600,
  },
  'the manifest is missing': { damage: remove(/^MANIFEST/), named: /^MANIFEST-\d+ is missing$/, keys: 600 },
  'the manifest is zeros': {
    damage: edit(/^MANIFEST/, bytes => bytes.fill(0)),
    named: /^MANIFEST-\d+ is damaged$/,
    keys: 600,
  },
  'a bit of the manifest is turned over': {
    damage: edit(
      /^MANIFEST/,
      flip(length => length - 10),
    ),
    named: /^MANIFEST-\d+: \d+ bytes at byte \d+ are damaged$/,
    keys: 600,
  },
  'the manifest is cut off': {
    damage: edit(/^MANIFEST/, bytes => bytes.subarray(0, -20)),
    named: /^MANIFEST-\d+ is damaged$/,
    keys: 600,
  },
  'a table is missing': { damage: remove(/\.ldb$/), named: /^\d+\.ldb is missing$/, keys: 400 },
  'a table is cut off': {
    damage: edit(/\.ldb$/, bytes => bytes.subarray(0, -60)),
    named: /^\d+\.ldb: it is shorter/,
    keys: 400,
  },
  'a bit of a table is turned over': {
    damage: edit(
      /\.ldb$/,
      flip(() => 100),
    ),
    named: /^\d+\.ldb: the block of \d+ bytes at byte 0 is damaged$/,
    keys: 500,
  },
  'the log is missing': { damage: remove(/\.log$/), named: /^\d+\.log is missing$/, keys: 400 },
  'a bit of the log is turned over': {
    damage: edit(
      /\.log$/,
      flip(() => 50_000),
    ),
    named: /^\d+\.log: \d+ bytes at byte \d+ are damaged$/,
    keys: 500,
  },
};

test('what is missing or damaged is named, and nothing that is whole is given up with it', async t => {
  const whole = await written(t);
  const before = await entriesOf(await copyOf(t, whole));
  assert.equal(before.size, ROUNDS * KEYS);
  assert.deepEqual(await leveldownPlugin.findDamage(whole), []);
  for (const [name, { damage, named, keys }] of Object.entries(DAMAGES)) {
    const folder = await copyOf(t, whole);
    const database = path.join(folder, 'rootDB');
    const names = await readdir(database);
    await damage(database, pattern => path.join(database, names.find(one => pattern.test(one)) ?? name));
    const [found = '', ...more] = await leveldownPlugin.findDamage(folder);
    assert.match(found, named, name);
    assert.deepEqual(more, [], name);
    await leveldownPlugin.salvage(folder);
    const left = await entriesOf(folder);
    assert.ok(left.size >= keys && left.size <= before.size, `${name}: ${left.size} keys`);
    for (const [key, value] of left) assert.equal(value, before.get(key), `${name}: ${key}`);
    assert.deepEqual(await leveldownPlugin.findDamage(folder), [], name);
  }
});

test('nothing is said of a database that another one writes to, nor of one that a crash kept from being made', async t => {
  const folder = await written(t);
  const database = path.join(folder, 'rootDB');
  const level = leveldown(database);
  await openLevel(level);
  await rm(path.join(database, 'CURRENT'));
  assert.deepEqual(await leveldownPlugin.findDamage(folder), []);
  await closeLevel(level);
  assert.deepEqual(await leveldownPlugin.findDamage(folder), ['CURRENT is missing']);
  for (const name of await readdir(database)) if (/^\d/.test(name)) await rm(path.join(database, name));
  assert.deepEqual(await leveldownPlugin.findDamage(folder), []);
});

async function copyOf(t: TestContext, folder: string): Promise<string> {
  const copy = path.join(await temporaryFolder(t), 'copy');
  await cp(folder, copy, { recursive: true });
  return copy;
}
