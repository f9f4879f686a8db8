/** What a start does with files that are not what was written. */
import assert from 'node:assert/strict';
import { copyFile, cp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { silentLogger, type Logger } from '@zenko-modules/common/logger';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { pino } from 'pino';
import { openLevel, writeBatch } from '../level-calls.js';
import { toText } from './bytes.js';
import { FolderStorage } from './folder-storage.js';
import { JsonDown } from './json-down.js';
import { loadStore } from './load.js';
import { openedJsonDown, readStore } from './testing/collect.js';
import { ObservedStorage } from './testing/observed-storage.js';

const SNAPSHOT = 'data.json';

interface Files {
  readonly folder: string;
  readonly journal: string;
}

/** Copies the files of an open store, as a crash at this moment would leave them. */
async function filesOf(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, filter: source => !source.endsWith(`${path.sep}lock`) });
}

/** A store with two entries in its snapshot and three batches in its journal, as a crash leaves it. */
async function crashedStore(t: TestContext, lastValue = 'z'): Promise<Files> {
  const root = await temporaryFolder(t);
  const live = path.join(root, 'live');
  const first = new JsonDown(live);
  await openLevel(first);
  await writeBatch(first, [
    { type: 'put', key: 'a', value: '1' },
    { type: 'put', key: 'é', value: Buffer.from([0xff]) },
  ]);
  await new Promise<void>(resolve => first.close(() => resolve()));
  const store = await openedJsonDown(t, live);
  for (const key of ['x', 'y']) await writeBatch(store, [{ type: 'put', key, value: key }]);
  await writeBatch(store, [{ type: 'put', key: 'z', value: lastValue }]);
  const folder = path.join(root, 'crashed');
  await filesOf(live, folder);
  const journal = (await readdir(folder)).find(name => name.startsWith('journal'));
  assert.ok(journal !== undefined);
  return { folder, journal };
}

/** The keys that a start would find. It changes nothing and takes no lock. */
async function load(folder: string, log: Logger = silentLogger()): Promise<string[]> {
  const loaded = await loadStore(new FolderStorage(folder), log);
  assert.ok(loaded !== undefined);
  const keys: string[] = [];
  const cursor = loaded.state.map.cursor();
  for (let entry = cursor.next(); entry !== undefined; entry = cursor.next()) keys.push(toText(entry.key));
  return keys;
}

async function assertCorrupt(folder: string, message: RegExp): Promise<void> {
  const before = await contents(folder);
  await assert.rejects(openLevel(new JsonDown(folder)), { code: 'LEVEL_CORRUPT', message });
  assert.deepEqual(await contents(folder), before, 'a refused start changes nothing');
}

async function contents(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).filter(name => name !== 'lock');
  const files = await Promise.all(
    names.map(async name => [name, await readFile(path.join(folder, name), 'hex')]),
  );
  return Object.fromEntries(files) as Record<string, string>;
}

for (const kind of ['snapshot', 'journal'] as const) {
  test(`a byte of the ${kind} that was changed is noticed, wherever it is, and its line is named`, async t => {
    const { folder, journal } = await crashedStore(t);
    const name = kind === 'snapshot' ? SNAPSHOT : journal;
    const file = path.join(folder, name);
    const intact = await readFile(file);
    const random = seededRandom(t);
    for (let position = 0; position < intact.length; position += random.integer(1, 3)) {
      const damaged = Buffer.from(intact);
      const byte = intact[position] ?? 0;
      // A byte that becomes zero is the hardest to tell from what a power loss leaves.
      damaged[position] = random.integer(0, 1) === 0 ? 0 : byte ^ random.integer(1, 255);
      await writeFile(file, damaged);
      await assert.rejects(load(folder), (err: Error) => {
        assert.match(
          err.message,
          new RegExp(`${name}(, line \\d+ \\(byte \\d+\\): | ends too early, at byte)`),
        );
        assert.equal((err as { code?: string }).code, 'LEVEL_CORRUPT', `byte ${position}: ${err.message}`);
        return true;
      });
      assert.deepEqual(await readFile(file), damaged);
    }
  });
}

test('a snapshot that was cut off anywhere is refused', async t => {
  const { folder } = await crashedStore(t);
  const file = path.join(folder, SNAPSHOT);
  const intact = await readFile(file);
  for (let length = 0; length < intact.length; length += 1) {
    await writeFile(file, intact.subarray(0, length));
    await assert.rejects(load(folder), { code: 'LEVEL_CORRUPT', message: /data\.json.*(byte \d+)/ });
  }
});

test('a journal that a crash cut off anywhere gives every batch that was complete, and says what it dropped', async t => {
  const { folder, journal } = await crashedStore(t);
  const file = path.join(folder, journal);
  const intact = await readFile(file);
  const ends = [...intact.entries()].filter(([, byte]) => byte === 0x0a).map(([position]) => position);
  const firstEnd = ends[0] ?? 0;
  for (let length = 0; length < intact.length; length += 1) {
    await writeFile(file, intact.subarray(0, length));
    if (length < firstEnd) {
      await assert.rejects(load(folder), { code: 'LEVEL_CORRUPT', message: /journal-\d+\.jsonl/ });
      continue;
    }
    const lines: string[] = [];
    const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) });
    const expected = ['x', 'y', 'z'].slice(0, ends.filter(end => end > firstEnd && end <= length).length);
    assert.deepEqual(await load(folder, log), ['a', ...expected, 'é']);
    const torn = !ends.includes(length) && !ends.includes(length - 1);
    assert.equal(lines.length, torn ? 1 : 0, lines.join());
    if (torn)
      assert.match(lines.join(), new RegExp(`${journal}".*"line":${2 + expected.length},"byte":\\d+`));
    if (length % 10 !== 0) continue;
    const copy = `${folder}-${length}`;
    await filesOf(folder, copy);
    const store = await openedJsonDown(t, copy);
    await writeBatch(store, [{ type: 'put', key: 'new', value: 'n' }]);
    const crashed = `${copy}-crashed`;
    await filesOf(copy, crashed);
    assert.deepEqual(await load(crashed), ['a', 'new', ...expected, 'é']);
  }
});

test('a last batch with sectors of zeros, as a power loss leaves them, is dropped', async t => {
  const { folder, journal } = await crashedStore(t, 'z'.repeat(2000));
  const file = path.join(folder, journal);
  const intact = await readFile(file);
  for (const [from, to] of [
    [1024, 1536],
    [512, 1024],
    [1536, intact.length],
  ]) {
    const holed = Buffer.from(intact).fill(0, from, to);
    const copy = `${folder}-${from ?? 0}`;
    await filesOf(folder, copy);
    await writeFile(path.join(copy, journal), holed);
    assert.deepEqual(Object.keys(await readStore(copy)).sort(), ['a', 'x', 'y', 'é']);
  }
  await writeFile(file, Buffer.from(intact).fill(0, 1024, 1030));
  await assertCorrupt(folder, /line 4 \(byte \d+\): the checksum/);
});

test('a missing file is named', async t => {
  const { folder, journal } = await crashedStore(t);
  const copy = `${folder}-copy`;
  await filesOf(folder, copy);
  await rm(path.join(folder, SNAPSHOT));
  await assertCorrupt(folder, new RegExp(`${journal}: holds changes, but the snapshot .* is missing`));
  await rm(path.join(copy, journal));
  await assertCorrupt(copy, new RegExp(`${journal} is missing: .*data\\.json leads to it`));
});

test('a snapshot and a journal that do not belong together are refused', async t => {
  const one = await crashedStore(t);
  const other = await crashedStore(t);
  await copyFile(path.join(other.folder, other.journal), path.join(one.folder, one.journal));
  await assertCorrupt(one.folder, /line 1 \(byte 0\): this journal belongs to another store/);
});

test('an older snapshot beside a newer journal is refused', async t => {
  const { folder } = await crashedStore(t);
  const old = await readFile(path.join(folder, SNAPSHOT));
  const store = new JsonDown(folder);
  await openLevel(store);
  await new Promise<void>(resolve => store.close(() => resolve()));
  await writeFile(path.join(folder, SNAPSHOT), old);
  await assertCorrupt(folder, /is missing: .*data\.json leads to it/);
});

test('batches that are missing in the middle of a journal are noticed', async t => {
  const { folder, journal } = await crashedStore(t);
  const file = path.join(folder, journal);
  const lines = (await readFile(file, 'utf8')).split('\n');
  await writeFile(file, [...lines.slice(0, 2), ...lines.slice(3)].join('\n'));
  await assertCorrupt(folder, /line 3 \(byte \d+\): batch 4 where 3 was expected/);
});

test('an entry that is missing in the snapshot is noticed', async t => {
  const { folder } = await crashedStore(t);
  const file = path.join(folder, SNAPSHOT);
  const lines = (await readFile(file, 'utf8')).split('\n');
  await writeFile(file, lines.filter(line => !line.includes('"a"')).join('\n'));
  await assertCorrupt(folder, /data\.json, line \d+ \(byte \d+\): expected the count/);
});

test('entries that were moved or repeated are named', async t => {
  const { folder } = await crashedStore(t);
  const file = path.join(folder, SNAPSHOT);
  const lines = (await readFile(file, 'utf8')).split('\n');
  const at = lines.findIndex(line => line.includes('"a"'));
  const [one, two] = [lines[at] ?? '', `${lines[at + 1] ?? ''},`];
  for (const entries of [
    [two, one.slice(0, -1)],
    [one, one, two.slice(0, -1)],
  ]) {
    await writeFile(file, [...lines.slice(0, at), ...entries, ...lines.slice(at + 2)].join('\n'));
    await assertCorrupt(
      folder,
      new RegExp(`data\\.json, line ${at + 2} \\(byte \\d+\\): this entry is out of order`),
    );
  }
});

test('a journal whose end was lost is refused when a newer one goes on from it', async t => {
  const root = await temporaryFolder(t);
  const live = path.join(root, 'live');
  let hold = (): void => undefined;
  const held = new Promise<void>(resolve => (hold = resolve));
  const storage = new ObservedStorage(new FolderStorage(live), {
    before: step => (step === 'replaceSnapshot' && started ? held : Promise.resolve()),
  });
  let started = false;
  const store = await openedJsonDown(t, storage, { journalMinBytes: 400 });
  started = true;
  for (let number = 0; number < 10; number += 1) {
    await writeBatch(store, [{ type: 'put', key: `key${number}`, value: 'v'.repeat(60) }]);
  }
  const folder = path.join(root, 'crashed');
  await filesOf(live, folder);
  hold();
  const journals = (await readdir(folder)).filter(name => name.startsWith('journal')).sort();
  assert.equal(journals.length, 2, 'the test needs a journal and its successor');
  const [older, newer] = journals as [string, string];
  const { length } = await readFile(path.join(folder, older));
  for (const cut of [1, 20, 100]) {
    const copy = `${folder}-${cut}`;
    await filesOf(folder, copy);
    await truncate(path.join(copy, older), length - cut);
    if (cut === 1) assert.equal(Object.keys(await readStore(copy)).length, 10);
    else await assertCorrupt(copy, new RegExp(`${newer}: holds changes, but the journal before it`));
  }
  await rm(path.join(folder, newer));
  await assertCorrupt(folder, new RegExp(`${newer} is missing: .*${older} leads to it`));
});

test('a folder in which a store was being made when it crashed gets a new store', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  const storage = new ObservedStorage(new FolderStorage(folder), {
    before: step => (step === 'replaceSnapshot' ? Promise.reject(new Error('crash')) : Promise.resolve()),
  });
  await assert.rejects(openLevel(new JsonDown(storage)), /crash/);
  assert.deepEqual((await readdir(folder)).sort(), ['journal-000001.jsonl', 'lock']);
  await openedJsonDown(t, folder);
});
