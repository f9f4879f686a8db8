/** Run by `full-disk.test.ts` on a file system of 8 MiB: `node full-disk-start-scenario.js <folder>`. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, statfsSync, writeSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { openPackedStore, type PackedStore } from '../packed-store.js';
import { packedOptions } from './packed-options.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const LARGE_BYTES = 100 * KiB;
/** A third argument makes it the process that is killed before the disk is full. */
const [node = '', script = '', folder = '', stage] = process.argv;
const packed = path.join(folder, 'packed');
const others = path.join(folder, 'others');
await mkdir(packed, { recursive: true });

const OPTIONS = packedOptions({
  PACKED_MAX_BLOB_BYTES: 64 * KiB,
  PACKED_SEGMENT_BYTES: MiB,
  PACKED_RESERVE_BYTES: MiB,
});
const open = (): Promise<PackedStore> => openPackedStore(packed, OPTIONS, silentLogger());

const put = (store: PackedStore, size: number): Promise<string> =>
  store.put(Readable.from([Buffer.alloc(size, 'x')]), size);

async function readAll(store: PackedStore, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const bytes = await buffer(await store.get(key));
    assert.deepEqual(bytes, Buffer.alloc(bytes.length, 'x'));
  }
  const listed: string[] = [];
  for await (const key of store.keys()) listed.push(key);
  assert.deepEqual(listed.sort(), [...keys].sort());
}

/** Others fill the disk to its last byte. */
function fillUp(): void {
  for (let bytes = 64 * KiB; bytes >= 1;) {
    try {
      appendFileSync(others, Buffer.alloc(bytes));
    } catch (err) {
      assert.equal((err as NodeJS.ErrnoException).code, 'ENOSPC');
      bytes /= 2;
    }
  }
}

const isFull = (err: unknown): boolean => {
  assert.ok(isErrorType(err, 'ServiceUnavailable'), String(err));
  assert.match(err.message, /disk is full/);
  return true;
};

/** Nothing is left of what had no room. */
async function areWhole(): Promise<void> {
  const names = await readdir(packed, { recursive: true });
  assert.ok(!names.some(name => name.endsWith('.tmp')), names.join(' '));
}

if (stage === 'first') {
  const begun = await open();
  const keys: string[] = [];
  // Their hint file would take more room than is to be found.
  for (let count = 0; count < 500; count += 1) keys.push(await put(begun, 1000));
  for (let count = 0; count < 2; count += 1) keys.push(await put(begun, LARGE_BYTES));
  await begun.delete(keys.shift() ?? '');
  writeSync(1, keys.join('\n'));
  process.kill(process.pid, 'SIGKILL');
}
const { stdout, stderr } = spawnSync(node, [script, folder, 'first']);
const keys = String(stdout).split('\n');
assert.equal(keys.length, 501, String(stderr));

fillUp();
const isRefused = async (store: PackedStore): Promise<void> => {
  await areWhole();
  fillUp();
  const refused = [put(store, 10), put(store, LARGE_BYTES), store.delete(keys[0] ?? ''), store.ping()];
  await Promise.all([readAll(store, keys), ...refused.map(each => assert.rejects(each, isFull))]);
  await readAll(store, keys);
};
const first = await open();
await isRefused(first);
// XFS makes no file on a full disk, not even one without a byte.
const { files, ffree } = statfsSync(folder);
const limitFiles = (count: number): unknown =>
  execFileSync('mount', ['-o', `remount,nr_inodes=${count}`, folder]);
limitFiles(files - ffree);
const second = await open();
await isRefused(second);
await assert.rejects(first.delete(keys[0] ?? ''), /another process/);
const third = await open();
await isRefused(third);
await assert.rejects(second.delete(keys[0] ?? ''), /another process/);
limitFiles(files);

const store = await open();
// The room of a file serves deletions, and puts are refused as before.
await store.delete(keys.pop() ?? '');
await Promise.all(keys.splice(0, 100).map(key => store.delete(key)));
await assert.rejects(put(store, 10), isFull);
await assert.rejects(store.ping(), isFull);
await readAll(store, keys);
fillUp();
await store.close();
await areWhole();

const again = await open();
await readAll(again, keys);
await rm(others);
await again.ping();
for (const size of [10, LARGE_BYTES]) keys.push(await put(again, size));
await again.delete(keys.shift() ?? '');
await readAll(again, keys);
await again.close();
const last = await open();
await readAll(last, keys);
const names = await readdir(path.join(packed, 'segments'));
assert.equal(names.filter(name => name.endsWith('.hint')).length, names.length / 2, names.join(' '));
for (const each of [last, third, second, first]) await each.close();
console.log('started on a full disk');
