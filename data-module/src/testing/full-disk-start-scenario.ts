/** Run by `full-disk.test.ts` on a file system of 8 MiB: `node full-disk-start-scenario.js <folder>`. */
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { silentLogger } from '@zenko-modules/common/logger';
import { type DiskStore, openDiskStore } from '../stores/disk/disk-store.js';
import { UsedVolumes } from '../stores/disk/used-volumes.js';
import { scrubbed } from './scrubbed.js';

const folder = process.argv[2] ?? '';
const volume = path.join(folder, 'volume');
const notes = path.join(folder, 'notes');
const others = path.join(folder, 'others');
for (const made of [volume, notes]) await mkdir(made);
const open = (): Promise<DiskStore> =>
  openDiskStore(volume, silentLogger(), {
    folders: 'as needed',
    fileSystem: { isLocal: true, syncsNames: true },
    used: new UsedVolumes(notes),
  });
const bodyOf = (index: number): Buffer => Buffer.alloc(5000, index);

const killed = await open();
const keys: string[] = [];
for (let index = 0; index < 20; index += 1) keys.push(await killed.putSmall(bodyOf(index)));
for (let bytes = 64 * 1024; bytes >= 1;) {
  try {
    appendFileSync(others, Buffer.alloc(bytes));
  } catch (err) {
    assert.equal((err as NodeJS.ErrnoException).code, 'ENOSPC');
    bytes /= 2;
  }
}

const store = await open();
assert.equal((await readdir(path.join(volume, '.journal'))).length, 1, 'what has no room yet waits');
for (const [index, key] of keys.entries())
  assert.ok((await buffer(await store.get(key))).equals(bodyOf(index)));
await store.delete(keys[0] ?? '');
await rm(others);
keys.push(await store.putSmall(Buffer.from('there is room')));
await store.close();
assert.deepEqual(await readdir(path.join(volume, '.journal')), []);
const again = await open();
assert.deepEqual(await scrubbed(again), { sound: 20 });
await again.close();
console.log('started on a full disk');
