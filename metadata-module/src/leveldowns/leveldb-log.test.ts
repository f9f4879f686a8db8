/** Logs that LevelDB itself wrote, with bits flipped and ends cut off. */
import assert from 'node:assert/strict';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { findLogDamage } from './leveldb-log.js';
import { closeLevel, openLevel, readEntries, writeBatch } from './level-calls.js';
import { leveldown } from './leveldown-binding.js';

const BATCHES = 120;

interface Crashed {
  /** A database as a killed process left it, with everything in its log. */
  readonly folder: string;
  readonly file: string;
  readonly log: Buffer;
}

async function crashed(t: TestContext, size: (n: number) => number): Promise<Crashed> {
  const [running, folder] = [await temporaryFolder(t), path.join(await temporaryFolder(t), 'db')];
  const level = leveldown(running);
  await openLevel(level);
  for (let n = 0; n < BATCHES; n += 1) {
    const value = JSON.stringify({ n, pad: 'x'.repeat(size(n)) });
    await writeBatch(level, [{ type: 'put', key: `k${String(n).padStart(4, '0')}`, value }]);
  }
  await cp(running, folder, { recursive: true });
  await closeLevel(level);
  const file = path.join(folder, (await readdir(folder)).find(name => name.endsWith('.log')) ?? '');
  return { folder, file, log: await readFile(file) };
}

/** How many entries LevelDB finds when the log is `log`. */
async function found(t: TestContext, { folder, file }: Crashed, log: Buffer): Promise<number> {
  const copy = path.join(await temporaryFolder(t), 'db');
  await cp(folder, copy, { recursive: true });
  await writeFile(path.join(copy, path.basename(file)), log);
  const level = leveldown(copy);
  await openLevel(level);
  let count = 0;
  for await (const { key } of readEntries(level)) count += key.length > 0 ? 1 : 0;
  await closeLevel(level);
  return count;
}

for (const [name, size] of [
  ['small records', (n: number) => n],
  ['records that fill blocks and go over several', (n: number) => (n % 10 === 0 ? 70_000 : 3000)],
] as const) {
  test(`${name}: every flipped bit is found, at least where LevelDB drops something for it`, async t => {
    const crash = await crashed(t, size);
    const random = seededRandom(t);
    assert.deepEqual(findLogDamage(crash.log), []);
    const last = crash.log.length - 1;
    const places = [
      ...Array.from({ length: 400 }, () => random.integer(0, last)),
      // The header and the end of the first record, and the last bytes.
      ...[0, 3, 4, 5, 6, 7, last - 1, last],
    ];
    let opened = 0;
    for (const [index, place] of places.entries()) {
      const log = Buffer.from(crash.log);
      log[place] = (log[place] ?? 0) ^ (1 << random.integer(0, 7));
      const damage = findLogDamage(log);
      if (damage.length > 0) {
        assert.ok(damage.some(({ offset, bytes }) => offset <= place && place < offset + bytes));
        continue;
      }
      // Such as in the zeros at the end of a block, which hold nothing.
      opened += 1;
      assert.equal(await found(t, crash, log), BATCHES, `byte ${place}, flip ${index}`);
    }
    t.diagnostic(`${places.length - opened} flips were found, ${opened} did no harm`);
  });

  test(`${name}: an end that a crash cut off is no damage, wherever it is`, async t => {
    const crash = await crashed(t, size);
    const random = seededRandom(t);
    for (let round = 0; round < 300; round += 1) {
      const length = random.integer(0, crash.log.length);
      assert.deepEqual(findLogDamage(crash.log.subarray(0, length)), [], `cut off at ${length}`);
    }
  });
}

test('a last record whose sectors had not reached the disk is no damage', async t => {
  const crash = await crashed(t, n => (n === BATCHES - 1 ? 20_000 : 100));
  for (const [from, to] of [
    [crash.log.length - 15_000, crash.log.length],
    [crash.log.length - 15_000, crash.log.length - 5000],
  ] as const) {
    const log = Buffer.from(crash.log);
    log.fill(0, from, to);
    assert.deepEqual(findLogDamage(log), []);
  }
  const middle = Buffer.from(crash.log);
  middle.fill(0, 2048, 4096);
  assert.equal(findLogDamage(middle).length, 1, 'in the middle it is');
});

test('a length that says too much in a last write of several pieces is damage: what is behind it was not cut off', async t => {
  const { log } = await crashed(t, n => (n === BATCHES - 1 ? 40_000 : 10));
  const first =
    pieces(log).findLast(({ type }) => type === 2)?.at ?? assert.fail('no write of several pieces');
  const damaged = Buffer.from(log);
  damaged.writeUInt16LE(0xffff, first + 4);
  assert.deepEqual(findLogDamage(damaged), [{ offset: first, bytes: log.length - first }]);
});

/** Where the records of an intact log lie, and their types. */
function pieces(log: Buffer): { at: number; type: number }[] {
  const found = [];
  for (let at = 0; at + 7 <= log.length;) {
    const room = 32_768 - (at % 32_768);
    if (room < 7) {
      at += room;
      continue;
    }
    found.push({ at, type: log[at + 6] ?? 0 });
    at += 7 + log.readUInt16LE(at + 4);
  }
  return found;
}
