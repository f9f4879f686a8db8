/** What the journal of the disk store brings back, and what it does when it cannot be used. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import {
  appendFile,
  chmod,
  cp,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { blobsUnder } from '../../../testing/blob-files.js';
import { rejectsWith } from '../../../testing/contract/harness.js';
import { flipBit } from '../../../testing/flip-bit.js';
import { scrubbed } from '../../../testing/scrubbed.js';
import { blobFile } from '../disk-layout.js';
import { type DiskStore, type DiskStoreOptions, openDiskStore } from '../disk-store.js';
import type { WorkerPlace } from '../../plugin.js';

const BOTH = [
  { index: 0, count: 2 },
  { index: 1, count: 2 },
] as const;

async function opened(
  t: TestContext,
  volume: string,
  worker: WorkerPlace = { index: 0, count: 1 },
  options: DiskStoreOptions = {},
): Promise<DiskStore> {
  const store = await openDiskStore(volume, silentLogger(), {
    folders: 'as needed',
    fileSystem: { isLocal: true, syncsNames: true },
    worker,
    ...options,
  });
  t.after(() => store.close());
  return store;
}

const journalOf = (volume: string): string => path.join(volume, '.journal');
const journalFiles = async (volume: string): Promise<string[]> => (await readdir(journalOf(volume))).sort();
const bodyOf = (index: number): Buffer => Buffer.alloc(index * 97, `blob ${index} `);
const read = async (store: DiskStore, key: string): Promise<Buffer> => buffer(await store.get(key));

async function putSeveral(store: DiskStore, count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => store.putSmall(bodyOf(index))));
}

/** The volume as a power failure leaves it that takes all that was not synced: what was synced is the journal, and the id. */
async function afterPowerFailure(t: TestContext, volume: string): Promise<string> {
  const copy = path.join(await temporaryFolder(t), 'volume');
  await mkdir(copy);
  for (const name of ['.journal', '.uploads', '.data-module-volume'])
    await cp(path.join(volume, name), path.join(copy, name), { recursive: true });
  return copy;
}

test('after a power failure every blob is there, none that was deleted, and each with its checksum', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  const keys = await putSeveral(store, 60);
  const [gone = '', left = ''] = keys;
  await store.delete(gone);
  const copy = await afterPowerFailure(t, volume);
  // Some had come to the disk, or in part, or with the wrong bytes.
  const [, , whole = '', short = '', wrong = ''] = keys;
  for (const key of [gone, whole, short, wrong]) {
    await mkdir(path.dirname(blobFile(copy, key)), { recursive: true });
    await writeFile(blobFile(copy, key), bodyOf(keys.indexOf(key)));
  }
  await truncate(blobFile(copy, short), 0);
  await flipBit(blobFile(copy, wrong), 5);
  const again = await opened(t, copy);
  for (const [index, key] of keys.entries())
    if (key !== gone) assert.deepEqual(await read(again, key), bodyOf(index));
  await rejectsWith(again.stat(gone), 'ObjNotFound');
  assert.deepEqual(await scrubbed(again), { sound: 59 });
  assert.deepEqual(await journalFiles(copy), [], 'all is in its place');
  await again.delete(left);
  await again.close();
  assert.equal((await blobsUnder(copy)).length, 58);
});

test('a power failure while a start puts things in their place, twice, loses nothing', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  const keys = await putSeveral(store, 20);
  const copy = await afterPowerFailure(t, volume);
  const [name = ''] = await journalFiles(copy);
  const taken = `${name}.taken-00000000-0000-4000-8000-000000000000`;
  await cp(path.join(journalOf(copy), name), path.join(journalOf(copy), taken));
  await rm(path.join(journalOf(copy), name));
  const twice = await afterPowerFailure(t, copy);
  const again = await opened(t, twice);
  for (const [index, key] of keys.entries()) assert.deepEqual(await read(again, key), bodyOf(index));
  assert.deepEqual(await journalFiles(twice), []);
});

test('an end in order leaves an empty journal, and files as the other daemon writes them', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  const keys = await putSeveral(store, 10);
  assert.equal((await journalFiles(volume)).length, 1, 'it was used');
  await store.close();
  assert.deepEqual(await journalFiles(volume), []);
  for (const [index, key] of keys.entries())
    assert.deepEqual(await readFile(blobFile(volume, key)), bodyOf(index));
});

for (const [first, second] of [
  [0, 1],
  [1, 0],
] as const) {
  test(`what one worker deleted of another's does not come back, whichever is done with its journal first: ${first}`, async t => {
    const volume = await temporaryFolder(t);
    const stores = [await opened(t, volume, BOTH[0]), await opened(t, volume, BOTH[1])];
    const keys = await putSeveral(stores[first] as DiskStore, 10);
    const [gone = '', alsoGone = ''] = keys;
    for (const key of [gone, alsoGone]) await stores[second]?.delete(key);
    const before = await afterPowerFailure(t, volume);
    // The one that deleted brings its part in its place; the other one is cut off before it does.
    await stores[second]?.close();
    const after = await afterPowerFailure(t, volume);
    for (const copy of [before, after]) {
      for (const place of BOTH) {
        const again = await opened(t, copy, place);
        await rejectsWith(again.stat(gone), 'ObjNotFound');
      }
      assert.equal((await blobsUnder(copy)).length, 8);
    }
    await stores[first]?.close();
    const alone = await opened(t, volume);
    assert.deepEqual(await journalFiles(volume), [], 'nobody waits for anybody');
    assert.deepEqual(await scrubbed(alone), { sound: 8 });
  });
}

test('a worker that is started again leaves alone what others deleted meanwhile', async t => {
  const volume = await temporaryFolder(t);
  const first = await opened(t, volume, BOTH[0]);
  const second = await opened(t, volume, BOTH[1]);
  const [gone = '', kept = ''] = await putSeveral(second, 2);
  await first.delete(gone);
  // Its process is no more, and another has its place.
  const again = await opened(t, volume, BOTH[1]);
  await rejectsWith(again.stat(gone), 'ObjNotFound');
  assert.deepEqual(await read(again, kept), bodyOf(1));
  // The old one is not, and learns that its journal is not its own any more.
  const late = await second.putSmall(Buffer.from('late'));
  const copy = await afterPowerFailure(t, volume);
  await cp(path.dirname(blobFile(volume, late)), path.dirname(blobFile(copy, late)), { recursive: true });
  for (const place of BOTH)
    assert.equal(String(await read(await opened(t, copy, place), late)), 'late', 'it was synced by itself');
});

test('a file of the journal that its worker renames while another one starts is read all the same', async t => {
  const volume = await temporaryFolder(t);
  const stores = [await opened(t, volume, BOTH[0]), await opened(t, volume, BOTH[1])] as const;
  const [gone = '', kept = ''] = await putSeveral(stores[0], 2);
  await stores[1].delete(gone);
  const copy = await afterPowerFailure(t, volume);
  const other = (await journalFiles(copy)).find(name => name.startsWith('1.')) ?? '';
  const now = path.join(journalOf(copy), `${other}.taken-00000000-0000-4000-8000-000000000000`);
  const open = fs.open as (...call: unknown[]) => void;
  let renamed = 0;
  t.mock.method(fs, 'open', (...call: unknown[]) => {
    if (call[0] === path.join(journalOf(copy), other) && !fs.existsSync(now)) {
      fs.renameSync(call[0], now);
      renamed += 1;
    }
    open(...call);
  });
  const again = await opened(t, copy, BOTH[0]);
  assert.equal(renamed, 1, 'it was in the list under its old name');
  await rejectsWith(again.stat(gone), 'ObjNotFound');
  assert.deepEqual(await read(again, kept), bodyOf(1));
});

test('what was cut off at the end is passed over, damage is too, and only what lies in it is lost', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  const keys: string[] = [];
  for (let index = 0; index < 5; index += 1) keys.push(await store.putSmall(bodyOf(index + 1)));
  const copy = await afterPowerFailure(t, volume);
  const [name = ''] = await journalFiles(copy);
  const file = path.join(journalOf(copy), name);
  const bytes = await readFile(file);
  const at = bytes.indexOf(Buffer.from(keys[2] ?? '', 'hex'));
  await flipBit(file, at);
  await appendFile(file, bytes.subarray(0, 50));
  await appendFile(file, Buffer.alloc(10_000, 'x'));
  const again = await opened(t, copy);
  for (const [index, key] of keys.entries()) {
    if (index === 2) await rejectsWith(again.stat(key), 'ObjNotFound');
    else assert.deepEqual(await read(again, key), bodyOf(index + 1));
  }
  const other = await afterPowerFailure(t, volume);
  await flipBit(path.join(journalOf(other), name), at + 200);
  const third = await opened(t, other);
  await rejectsWith(third.stat(keys[2] ?? ''), 'ObjNotFound');
  assert.equal((await blobsUnder(other)).length, 4);
});

test('a key that is used again has what came last, also after a power failure', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  const [one = '', other = ''] = await putSeveral(store, 2);
  await store.delete(one);
  for (const key of [one, other]) await store.putAs(key, Readable.from([Buffer.from('new')]), 3);
  const copy = path.join(await temporaryFolder(t), 'volume');
  await cp(volume, copy, { recursive: true });
  const again = await opened(t, copy);
  for (const key of [one, other]) assert.equal(String(await read(again, key)), 'new');
});

test('while the journal cannot be written, blobs are synced one by one', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  await writeFile(journalOf(volume), 'a file in its place');
  const keys = await putSeveral(store, 5);
  for (const [index, key] of keys.entries()) assert.deepEqual(await read(store, key), bodyOf(index));
  await store.delete(keys[0] ?? '');
  await rm(journalOf(volume));
  await store.close();
  assert.deepEqual(await scrubbed(await opened(t, volume)), { sound: 4 });
});

test('what a disk that did not answer makes later, while the journal cannot be written, was told to nobody', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume, undefined, { timeoutMs: 1000 });
  const kept = await store.putSmall(bodyOf(1));
  await rm(journalOf(volume), { recursive: true });
  await writeFile(journalOf(volume), 'a file in its place');
  const asked: (() => Worker)[] = [];
  const post = t.mock.method(Worker.prototype, 'postMessage', function (this: Worker, message: unknown) {
    asked.push(() => {
      post.mock.restore();
      this.postMessage(message);
      return this;
    });
  });
  const told = await Promise.allSettled([2, 3].map(index => store.putSmall(bodyOf(index))));
  // The thread makes the files of the blobs at last, and they are removed.
  const [goOn] = asked;
  assert.ok(goOn !== undefined);
  await once(goOn(), 'message');
  for (const outcome of told) {
    assert.ok(outcome.status === 'rejected', 'nothing is stored that is removed now');
    assert.ok(isErrorType(outcome.reason, 'ServiceUnavailable'), String(outcome.reason));
  }
  const blobs = async (): Promise<string[]> =>
    (await blobsUnder(volume)).filter(name => name !== path.basename(journalOf(volume)));
  while ((await blobs()).length > 1) await new Promise(setImmediate);
  assert.deepEqual(await read(store, kept), bodyOf(1));
});

test('what was deleted while the journal could not be written does not come back', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  const [gone = '', kept = ''] = await putSeveral(store, 2);
  const away = `${journalOf(volume)}-away`;
  await rename(journalOf(volume), away);
  await writeFile(journalOf(volume), 'a file in its place');
  await store.putSmall(Buffer.from('by itself'));
  await rm(journalOf(volume));
  await rename(away, journalOf(volume));
  // For a while it is left alone.
  await store.delete(gone);
  const before = (await journalFiles(volume)).length;
  while ((await journalFiles(volume)).length === before) await store.putSmall(Buffer.from('later'));
  await store.putSmall(Buffer.from('later'));
  const copy = await afterPowerFailure(t, volume);
  const again = await opened(t, copy);
  await rejectsWith(again.stat(gone), 'ObjNotFound');
  assert.deepEqual(await read(again, kept), bodyOf(1));
});

test('while nothing can be brought to its place it has a bounded number of files, and loses nothing', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  const open = fs.open as (...call: unknown[]) => void;
  const { mock } = t.mock.method(fs, 'open', (...call: unknown[]) => {
    const [file, flags] = call;
    const isRead = String(file).startsWith(`${journalOf(volume)}/`) && flags === fs.constants.O_RDONLY;
    if (!isRead) open(...call);
    else setImmediate(call.at(-1) as (err: Error) => void, Object.assign(new Error('i/o'), { code: 'EIO' }));
  });
  const keys: string[] = [];
  for (let index = 0; index < 100; index += 1) {
    keys.push(await store.putSmall(bodyOf(index)));
    // It asks the journal for a sync, which ends the file that there is.
    await assert.rejects(store.putAs('e'.repeat(40), Readable.from([Buffer.from('x')]), 1));
  }
  const { length } = await journalFiles(volume);
  assert.ok(length > 20 && length < 40, `${length} files`);
  const copy = path.join(await temporaryFolder(t), 'volume');
  await cp(volume, copy, { recursive: true });
  mock.restore();
  await store.close();
  for (const place of [volume, copy]) {
    const again = await opened(t, place);
    for (const [index, key] of keys.entries()) assert.deepEqual(await read(again, key), bodyOf(index));
    assert.deepEqual(await scrubbed(again), { sound: 100 });
    assert.deepEqual(await journalFiles(place), []);
  }
});

/** A command called `perl` that does `script` is found first; none at all when that is empty. */
async function withPerl(t: TestContext, script: string): Promise<void> {
  const folder = await temporaryFolder(t);
  await writeFile(path.join(folder, 'perl'), `#!/bin/sh\n${script}\n`);
  await chmod(path.join(folder, 'perl'), script === '' ? 0o600 : 0o700);
  const before = process.env.PATH;
  process.env.PATH = script === '' ? folder : `${folder}:${before}`;
  t.after(() => (process.env.PATH = before));
}

test('a key that was deleted while the journal could not be written, and is used again, keeps what came last', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  const [key = ''] = await putSeveral(store, 1);
  await rm(journalOf(volume), { recursive: true });
  await writeFile(journalOf(volume), 'a file in its place');
  await store.putSmall(Buffer.from('by itself'));
  await rm(journalOf(volume));
  await store.delete(key);
  await store.putAs(key, Readable.from([Buffer.from('new')]), 3);
  const used = async (): Promise<boolean> => (await journalFiles(volume).catch(() => [])).length > 0;
  while (!(await used())) await store.putSmall(Buffer.from('later'));
  await store.putSmall(Buffer.from('later'));
  await store.close();
  assert.equal(String(await read(await opened(t, volume), key)), 'new');
});

for (const [name, script] of [
  ['without Perl', ''],
  ['with a Perl that cannot make the call', 'exit 1'],
] as const) {
  test(`${name} that syncs a volume, files are synced one by one`, async t => {
    const volume = await temporaryFolder(t);
    const store = await opened(t, volume);
    const keys = await putSeveral(store, 5);
    await store.delete(keys[0] ?? '');
    await withPerl(t, script);
    await store.close();
    assert.deepEqual(await journalFiles(volume), []);
    assert.equal((await blobsUnder(volume)).length, 4);
  });
}

test('when the disk has refused to take something, all is kept, and the next start writes it again', async t => {
  const volume = await temporaryFolder(t);
  const store = await opened(t, volume);
  const keys = await putSeveral(store, 5);
  await withPerl(t, 'exit 77');
  await store.putAs('e'.repeat(40), Readable.from([Buffer.from('x')]), 1);
  await rejectsWith(store.ping(), 'InternalError');
  assert.ok(await store.putSmall(Buffer.from('x')), 'by itself');
  const deleted = keys.pop() ?? '';
  await store.delete(deleted);
  await store.close();
  const [name = '', ...others] = await journalFiles(volume);
  assert.match(name, /\.suspect-/);
  assert.equal(others.length, 1, 'a file with what was deleted since');
  // The system shows what it has in memory, whatever lies on the disk: a look is no proof.
  const before = await inodes(volume, keys);
  await withPerl(t, 'exit 0');
  const again = await opened(t, volume);
  const after = await inodes(volume, keys);
  assert.ok(
    after.every((inode, index) => inode !== before[index]),
    'every file is another one',
  );
  await again.ping();
  await rejectsWith(again.stat(deleted), 'ObjNotFound');
  assert.deepEqual(await scrubbed(again), { sound: 6 });
  assert.deepEqual(await journalFiles(volume), []);
});

async function inodes(volume: string, keys: readonly string[]): Promise<bigint[]> {
  return Promise.all(keys.map(async key => (await stat(blobFile(volume, key), { bigint: true })).ino));
}
