/** Entries of blobs that are gone are taken out of the logs; those of living ones stay, whatever goes on meanwhile. */
import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { rejectsWith } from '../../../testing/contract/harness.js';
import { flipBit } from '../../../testing/flip-bit.js';
import { scrubbed } from '../../../testing/scrubbed.js';
import type { WorkerPlace } from '../../plugin.js';
import { blobFile } from '../disk-layout.js';
import { type DiskStore, openDiskStore } from '../disk-store.js';
import { FileCalls, type OpenFile } from '../file-calls.js';
import { Volume } from '../volume.js';
import { BlobChecksums } from './blob-checksums.js';

/** Files of so few entries, cleaned when the test says so. */
const CHECKSUMS = { maxFileBytes: 2000, pauseMs: 3_600_000 };

interface TestVolume {
  readonly volume: string;
  readonly open: (worker?: WorkerPlace) => Promise<DiskStore>;
  readonly logs: () => Promise<string[]>;
  readonly entries: () => Promise<number>;
}

async function volumeFor(t: TestContext, hasJournal = false): Promise<TestVolume> {
  const volume = await temporaryFolder(t);
  const folder = path.join(volume, '.checksums');
  const logs = (): Promise<string[]> => readdir(folder);
  return {
    volume,
    logs,
    open: async worker => {
      const store = await openDiskStore(volume, silentLogger(), {
        folders: 'as needed',
        checksums: CHECKSUMS,
        hasJournal,
        ...(worker && { worker }),
      });
      t.after(() => store.close());
      return store;
    },
    entries: async () => {
      const texts = await Promise.all((await logs()).map(name => readFile(path.join(folder, name), 'utf8')));
      return texts.join('').split('\n').length - 1;
    },
  };
}

async function putAll(store: DiskStore, count: number): Promise<string[]> {
  const keys: string[] = [];
  let index = 0;
  const client = async (): Promise<void> => {
    while (index < count) keys.push(await store.putSmall(Buffer.from(`blob ${(index += 1)}`)));
  };
  await Promise.all(Array.from({ length: Math.min(8, count) }, client));
  return keys;
}

test('logs shrink with what is deleted, and what is left is compared as before, also after a restart', async t => {
  const { volume, open, entries } = await volumeFor(t);
  const store = await open();
  const keys = await putAll(store, 200);
  for (const [index, key] of keys.entries()) if (index % 5 > 0) await store.delete(key);
  const left = keys.filter((_, index) => index % 5 === 0);
  await store.cleanChecksums();
  assert.ok((await entries()) < 80, `${await entries()} entries for 40 blobs`);
  assert.deepEqual(await scrubbed(store), { sound: 40 });
  await flipBit(blobFile(volume, left[7] ?? ''), 1);
  await store.close();
  assert.deepEqual(await scrubbed(await open()), { sound: 39, damaged: 1 });
});

test('logs of which most blobs are there stay as they are', async t => {
  const { open, logs } = await volumeFor(t);
  const store = await open();
  const keys = await putAll(store, 100);
  for (const [index, key] of keys.entries()) if (index % 5 === 0) await store.delete(key);
  const before = await logs();
  await store.cleanChecksums();
  assert.deepEqual(await logs(), before);
});

test("a worker leaves the files of others alone; those of workers that are no more are the first worker's", async t => {
  const { open, logs } = await volumeFor(t);
  const other = await open({ index: 1, count: 2 });
  for (const key of await putAll(other, 100)) await other.delete(key);
  await other.close();
  const before = await logs();
  const first = await open({ index: 0, count: 2 });
  await first.cleanChecksums();
  assert.deepEqual(await logs(), before);
  await first.close();
  const alone = await open();
  await alone.cleanChecksums();
  assert.deepEqual(await logs(), []);
});

test('many small files, as many starts leave them, become one', async t => {
  const { open, logs } = await volumeFor(t);
  for (let start = 0; start < 12; start += 1) {
    const store = await open();
    await putAll(store, 1);
    await store.close();
  }
  const store = await open();
  assert.equal((await logs()).length, 12);
  await store.cleanChecksums();
  assert.ok((await logs()).length <= 9);
  assert.deepEqual(await scrubbed(store), { sound: 12 });
});

test('the entry of an upload whose blob is not in its place yet is kept', async t => {
  const folder = await temporaryFolder(t);
  const calls = new FileCalls(10_000);
  t.after(() => calls.stop());
  const volume = await Volume.open(folder, calls, 'as needed', () => Promise.resolve());
  const worker = { index: 0, count: 1 };
  const checksums = await BlobChecksums.open(volume, calls, worker, silentLogger(), CHECKSUMS);
  const logs = (): Promise<string[]> => readdir(path.join(folder, '.checksums'));
  const entry = checksums.begin('c'.repeat(40));
  entry.write({ length: 1, checksum: 1 });
  await entry.written();
  // No more is written to this file.
  checksums.renew();
  await checksums.clean();
  assert.equal((await logs()).length, 1);
  entry.settle();
  await checksums.clean();
  assert.deepEqual(await logs(), [], 'the blob never came');
  await checksums.close();
});

test('a file that is being begun is left alone', async t => {
  const folder = await temporaryFolder(t);
  let go: () => void = () => undefined;
  const held = new Promise<void>(resolve => (go = resolve));
  class SlowCalls extends FileCalls {
    override async open(file: string, flags: number): Promise<OpenFile> {
      const opened = await super.open(file, flags);
      if ((flags & constants.O_CREAT) > 0) await held;
      return opened;
    }
  }
  const calls = new SlowCalls(10_000);
  t.after(() => calls.stop());
  const volume = await Volume.open(folder, calls, 'as needed', () => Promise.resolve());
  const worker = { index: 0, count: 1 };
  const checksums = await BlobChecksums.open(volume, calls, worker, silentLogger(), CHECKSUMS);
  const logs = (): Promise<string[]> => readdir(path.join(folder, '.checksums')).catch(() => []);
  const entry = checksums.begin('c'.repeat(40));
  entry.write({ length: 1, checksum: 1 });
  while ((await logs()).length === 0) await new Promise(setImmediate);
  await checksums.clean();
  go();
  await entry.written();
  assert.equal((await logs()).length, 1);
  entry.settle();
  await checksums.close();
});

test('while the volume is away nothing is taken for deleted', async t => {
  const { volume, open, logs } = await volumeFor(t);
  const store = await open();
  await putAll(store, 60);
  const before = await logs();
  // The blobs and the id are away, the logs can be seen.
  const away = await temporaryFolder(t);
  const names = (await readdir(volume)).filter(name => name !== '.checksums');
  for (const name of names) await rename(path.join(volume, name), path.join(away, name));
  await rejectsWith(store.cleanChecksums(), 'InternalError');
  for (const name of names) await rename(path.join(away, name), path.join(volume, name));
  assert.deepEqual(await logs(), before);
  assert.deepEqual(await scrubbed(store), { sound: 60 });
});

for (const hasJournal of [true, false]) {
  test(`puts, deletions and cleaning at once: every blob that is left has its checksum, ${hasJournal ? 'with' : 'without'} a journal`, async t => {
    const { open, entries } = await volumeFor(t, hasJournal);
    const stores = [await open({ index: 0, count: 2 }), await open({ index: 1, count: 2 })];
    const keys: string[] = [];
    let isDone = false;
    const cleaning = Promise.all(
      stores.map(async store => {
        while (!isDone) await store.cleanChecksums();
      }),
    );
    await Promise.all(
      Array.from({ length: 6 }, async (_, user) => {
        for (let index = 0; index < 100; index += 1) {
          const [one, other] = [stores[(user + index) % 2], stores[index % 2]];
          const key = (await one?.putSmall(Buffer.from(`${user} ${index}`))) ?? '';
          if (index % 4 > 0) await other?.delete(key);
          else keys.push(key);
        }
      }),
    );
    isDone = true;
    await cleaning;
    for (const store of hasJournal ? stores : []) await store.close();
    const store = hasJournal ? await open() : stores[0];
    assert.ok(store);
    if (hasJournal) await store.cleanChecksums();
    assert.deepEqual(await scrubbed(store), { sound: keys.length });
    assert.ok((await entries()) < 600, `${await entries()} entries for ${keys.length} blobs`);
  });
}

test('a log that is full of rubbish is cleaned away', async t => {
  const { volume, open, logs } = await volumeFor(t);
  const store = await open();
  await putAll(store, 1);
  await writeFile(path.join(volume, '.checksums', '0.1'), Buffer.alloc(500_000, 'rubbish\n'));
  await store.cleanChecksums();
  assert.ok(!(await logs()).includes('0.1'));
  assert.deepEqual(await scrubbed(store), { sound: 1 });
});
