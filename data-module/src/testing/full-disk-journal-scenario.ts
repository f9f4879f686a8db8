/** Run by `full-disk.test.ts` on a file system of 8 MiB: `node full-disk-journal-scenario.js <folder>`. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, writeSync } from 'node:fs';
import { mkdir, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { pino } from 'pino';
import { type DiskStore, openDiskStore } from '../stores/disk/disk-store.js';
import { scrubbed } from './scrubbed.js';

/** The journal is left alone for a second after each failure. */
const FAILURES = 4;
const folder = process.argv[2] ?? '';
const volume = path.join(folder, 'volume');
const journal = path.join(volume, '.journal');
const others = path.join(folder, 'others');
await mkdir(volume, { recursive: true });

let failures = 0;
const log = pino(
  { level: 'warn' },
  {
    write: (line: string) => {
      if (line.includes('the journal cannot be written')) failures += 1;
    },
  },
);
const open = (): Promise<DiskStore> =>
  openDiskStore(volume, log, { folders: 'as needed', fileSystem: { isLocal: true, syncsNames: true } });
const bodyOf = (index: number): Buffer => Buffer.alloc(5000, index);
const fillUp = (): void => {
  for (let bytes = 64 * 1024; bytes >= 1;) {
    try {
      appendFileSync(others, Buffer.alloc(bytes));
    } catch (err) {
      assert.equal((err as NodeJS.ErrnoException).code, 'ENOSPC');
      bytes /= 2;
    }
  }
};
const isFull = (err: unknown): boolean => isErrorType(err, 'ServiceUnavailable') && /full/.test(err.message);

const journalFiles = (): Promise<string[]> => readdir(journal);

/** How many files of the journal are open, also such as are gone. */
async function openFiles(): Promise<number> {
  const names = await readdir('/proc/self/fd');
  const links = await Promise.all(names.map(name => readlink(`/proc/self/fd/${name}`).catch(() => '')));
  return links.filter(link => link.startsWith(journal)).length;
}

/** Tries to store until the journal has failed so many times. */
async function upload(store: DiskStore): Promise<void> {
  for (const enough = failures + FAILURES; failures < enough;)
    await assert.rejects(store.putSmall(bodyOf(255)), isFull);
}

/** What a process does that is killed on the full disk, in its output the keys of its blobs. */
async function first(): Promise<void> {
  const store = await open();
  const stored: string[] = [];
  for (let index = 0; index < 20; index += 1) stored.push(await store.putSmall(bodyOf(index)));
  fillUp();
  await upload(store);
  assert.equal((await journalFiles()).length, 1, 'the one of before');
  while ((await openFiles()) > 1) await sleep(10);
  writeSync(1, stored.join('\n'));
  process.kill(process.pid, 'SIGKILL');
}

if (process.argv[3] === 'first') await first();
const { stdout, stderr } = spawnSync(process.execPath, [...process.argv.slice(1, 3), 'first']);
const keys = String(stdout).split('\n');
assert.equal(keys.length, 20, String(stderr));

// As modules of before this was mended left them.
for (let number = 1; number <= 100; number += 1) await writeFile(path.join(journal, `0.${number}`), '');
const store = await open();
assert.equal((await journalFiles()).length, 1);
await upload(store);
assert.equal((await journalFiles()).length, 1);
const gone = keys.splice(0, 5);
for (const key of gone) await store.delete(key);
fillUp();
await upload(store);
for (const [index, key] of keys.entries())
  assert.ok((await buffer(await store.get(key))).equals(bodyOf(index + gone.length)));

await rm(others);
const isUsed = async (): Promise<boolean> => (await journalFiles()).some(name => /^\d+\.\d+$/.test(name));
while (!(await isUsed())) {
  keys.push(await store.putSmall(Buffer.from('there is room')));
  await sleep(20);
}
await store.close();
assert.deepEqual(await journalFiles(), []);
const again = await open();
assert.deepEqual(await scrubbed(again), { sound: keys.length });
await again.close();
console.log('as many files as before');
