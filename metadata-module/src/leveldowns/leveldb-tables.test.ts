/** Tables that LevelDB itself wrote, with bits flipped. */
import assert from 'node:assert/strict';
import { cp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { closeLevel, openLevel, writeBatch } from './level-calls.js';
import { liveTables } from './leveldb-manifest.js';
import { findDamagedTables, findTableDamage } from './leveldb-tables.js';
import { leveldown } from './leveldown-binding.js';

interface Written {
  readonly folder: string;
  /** Names of the tables that count. */
  readonly tables: readonly string[];
}

/** A database of several tables, with values that Snappy makes smaller and others. */
async function written(t: TestContext): Promise<Written> {
  const random = seededRandom(t);
  const folder = path.join(await temporaryFolder(t), 'db');
  // Each time that it is opened it writes its log into tables.
  for (const count of [150, 150, 0]) {
    const level = leveldown(folder);
    await openLevel(level);
    for (let n = 0; n < count; n += 1) {
      const noise = Array.from({ length: 2000 }, () => String.fromCharCode(random.integer(32, 126))).join('');
      const put = (key: string, value: string) => ({ type: 'put' as const, key, value });
      await writeBatch(level, [put(`noise ${n}`, noise), put(`pad ${n}`, 'x'.repeat(20_000))]);
    }
    await closeLevel(level);
  }
  const live = (await liveTables(folder)) ?? new Map<number, number>();
  return { folder, tables: [...live.keys()].map(number => `${String(number).padStart(6, '0')}.ldb`) };
}

test('each flipped bit of a table is found, and what is whole is not called damaged', async t => {
  const random = seededRandom(t);
  const { folder, tables } = await written(t);
  assert.ok(tables.length > 1, tables.join());
  for (const name of tables) assert.ok((await stat(path.join(folder, name))).size > 0);
  assert.deepEqual(await findDamagedTables(folder), []);
  // What a compaction that was cut off leaves is no table of the database.
  await writeFile(path.join(folder, '999999.ldb'), 'the beginning of a table');
  assert.deepEqual(await findDamagedTables(folder), []);
  const table = await readFile(path.join(folder, tables[0] ?? ''));
  let unseen = 0;
  for (let n = 0; n < 500; n += 1) {
    // The last bytes hold the index, the rest of the footer, and zeros between them that nobody reads.
    const at = n < 400 ? random.integer(0, table.length - 1) : table.length - 1 - random.integer(0, 47);
    const bit = 1 << random.integer(0, 7);
    table[at] = (table[at] ?? 0) ^ bit;
    if (findTableDamage(table) === undefined) {
      unseen += 1;
      assert.ok(at >= table.length - 48, `byte ${at} of ${table.length}`);
    }
    table[at] = (table[at] ?? 0) ^ bit;
  }
  assert.ok(unseen < 80, `${unseen} in the padding of the footer`);
  assert.equal(findTableDamage(table), undefined);
});

test('a damaged table is named, a cut one too, and one that is missing is left to LevelDB', async t => {
  const { folder, tables } = await written(t);
  const damage = async (change: (bytes: Buffer) => Buffer): Promise<string[]> => {
    const copy = path.join(await temporaryFolder(t), 'db');
    await cp(folder, copy, { recursive: true });
    const file = path.join(copy, tables[0] ?? '');
    await writeFile(file, change(await readFile(file)));
    return (await findDamagedTables(copy)).map(({ name, text }) => `${name}: ${text}`);
  };
  const [flipped = ''] = await damage(bytes => {
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    return bytes;
  });
  assert.match(flipped, new RegExp(`^${tables[0] ?? ''}: the block of \\d+ bytes at byte 0 is damaged$`));
  assert.match((await damage(bytes => bytes.subarray(0, -1)))[0] ?? '', /shorter/);
  assert.deepEqual(await findDamagedTables(await temporaryFolder(t)), []);
  assert.ok((await readdir(folder)).includes('CURRENT'));
});
