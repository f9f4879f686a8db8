/** Large uploads past the page cache: on file systems that take it, that do not, and when writes go wrong. */
import assert from 'node:assert/strict';
import fs, { constants } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { rejectsWith } from '../../testing/contract/harness.js';
import { blobsUnder } from '../../testing/blob-files.js';
import { generatedBuffer, generatedBytes } from '../../testing/generated-bytes.js';
import { openFilesUnder } from '../../testing/open-files.js';
import { scrubbed } from '../../testing/scrubbed.js';
import { StoreLayer } from '../store-layer.js';
import { DIRECT_BYTES, directBuffers } from './direct-writes.js';
import { blobFile } from './disk-layout.js';
import { type DiskStore, type DiskStoreOptions, openDiskStore } from './disk-store.js';

const MiB = 1024 * 1024;
const LOCAL = { isLocal: true, syncsNames: true };

interface Opened {
  readonly volume: string;
  readonly disk: DiskStore;
  readonly store: StoreLayer;
}

async function openStore(t: TestContext, options: DiskStoreOptions = {}, folder?: string): Promise<Opened> {
  const volume = folder ?? (await temporaryFolder(t));
  const disk = await openDiskStore(volume, silentLogger(), {
    folders: 'as needed',
    fileSystem: LOCAL,
    directFromBytes: 1,
    ...options,
  });
  const store = new StoreLayer(disk);
  t.after(async () => {
    await store.close();
    assert.equal(directBuffers.lent, 0, 'every buffer was given back');
    assert.deepEqual(await openFilesUnder(volume), []);
  });
  return { volume, disk, store };
}

/** What a call that writes at a position is answered with; `undefined`: as ever. */
type Answer = (
  position: number,
  length: number,
  isDirect: boolean,
) => NodeJS.ErrnoException | number | undefined;

interface Watched {
  readonly direct: number[];
  readonly cached: number[];
}

/** Watches writes with a position, which are those of large uploads, and answers them. */
function watchWrites(t: TestContext, answer: Answer = () => undefined): Watched {
  const watched: Watched = { direct: [], cached: [] };
  const direct = new Set<number>();
  const { open, write } = fs;
  t.mock.method(
    fs,
    'open',
    (file: string, flags: number, mode: number, done: (err: Error | null, fd: number) => void) =>
      open(file, flags, mode, (err, fd) => {
        direct.delete(fd);
        if (err === null && (flags & constants.O_DIRECT) !== 0) direct.add(fd);
        done(err, fd);
      }),
  );
  t.mock.method(
    fs,
    'write',
    (
      fd: number,
      bytes: Buffer,
      offset: number,
      length: number,
      position: number | null,
      done: (err: Error | null, count: number) => void,
    ) => {
      if (position === null) {
        write(fd, bytes, offset, length, position, done);
        return;
      }
      const isDirect = direct.has(fd);
      const answered = answer(position, length, isDirect);
      if (answered instanceof Error) return setImmediate(done, answered, 0);
      (isDirect ? watched.direct : watched.cached).push(position);
      const count = answered ?? length;
      // What is beyond the last whole block of a count that ends within one may be on the disk or not.
      const written = isDirect ? count - (count % 4096) : count;
      if (written === 0) setImmediate(done, null, count);
      else write(fd, bytes, offset, written, position, err => done(err, count));
    },
  );
  return watched;
}

function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

async function comesBack({ store }: Opened, seed: number, size: number): Promise<void> {
  const key = await store.put(generatedBytes(seed, size), size);
  assert.ok((await buffer(await store.get(key))).equals(await generatedBuffer(seed, size)), `${size} bytes`);
}

test('a blob of any length comes back whole, whole blocks past the cache and the rest through it', async t => {
  const opened = await openStore(t);
  const watched = watchWrites(t);
  const edges = [4096, DIRECT_BYTES, 2 * DIRECT_BYTES, 3 * DIRECT_BYTES];
  const sizes = [1, ...edges.flatMap(edge => [edge - 1, edge, edge + 1]), 2 * DIRECT_BYTES + 4097];
  for (const [seed, size] of sizes.entries()) {
    watched.direct.length = watched.cached.length = 0;
    await comesBack(opened, seed, size);
    assert.equal(watched.direct.length, Math.ceil((size - (size % 4096)) / DIRECT_BYTES), `${size} bytes`);
    assert.deepEqual(watched.cached, size % 4096 > 0 ? [size - (size % 4096)] : []);
  }
  assert.deepEqual(await scrubbed(opened.disk), { sound: sizes.length });
});

test('chunks of any length fill the buffers', async t => {
  const { store } = await openStore(t);
  const bytes = await generatedBuffer(7, 3 * DIRECT_BYTES + 5000);
  for (const length of [bytes.length, DIRECT_BYTES + 1, 100_003, 4095]) {
    const chunks = Array.from({ length: Math.ceil(bytes.length / length) }, (_, n) =>
      bytes.subarray(n * length, (n + 1) * length),
    );
    const key = await store.put(Readable.from(chunks), bytes.length);
    assert.ok((await buffer(await store.get(key))).equals(bytes), `chunks of ${length}`);
  }
});

test('smaller ones, or all when it is switched off or over a network, go through the cache', async t => {
  for (const options of [
    { directFromBytes: 2 * MiB },
    { directFromBytes: 0 },
    { directFromBytes: 1, fileSystem: { isLocal: false, syncsNames: true } },
  ]) {
    const opened = await openStore(t, options);
    const watched = watchWrites(t);
    await comesBack(opened, 1, 2 * MiB - 1);
    assert.deepEqual(watched, { direct: [], cached: [] });
    t.mock.restoreAll();
  }
});

for (const code of ['EINVAL', 'EOPNOTSUPP'])
  test(`a file system that refuses to open a file so (${code}) gets all through the cache, and is asked once`, async t => {
    const opened = await openStore(t);
    const { open } = fs;
    let asked = 0;
    t.mock.method(fs, 'open', (file: string, flags: number, mode: number, done: fs.NoParamCallback) => {
      if ((flags & constants.O_DIRECT) === 0) {
        open(file, flags, mode, done);
        return;
      }
      asked += 1;
      return setImmediate(done, failure(code));
    });
    for (const seed of [1, 2, 3]) await comesBack(opened, seed, 2 * MiB + 100);
    assert.equal(asked, 1);
  });

for (const from of [0, DIRECT_BYTES])
  test(`a file system that refuses a write so gets the rest through the cache: from byte ${from} on`, async t => {
    const opened = await openStore(t);
    const watched = watchWrites(t, (position, _, isDirect) =>
      isDirect && position >= from ? failure('EINVAL') : undefined,
    );
    await comesBack(opened, 1, 2 * MiB + 100);
    assert.equal(watched.direct.length, from / DIRECT_BYTES);
    await comesBack(opened, 2, 2 * MiB + 100);
    assert.equal(watched.direct.length, from / DIRECT_BYTES, 'it was remembered');
  });

test('a file system in memory takes them in one way or the other', async t => {
  const memory = '/dev/shm';
  if (!fs.existsSync(memory)) {
    t.skip('there is no /dev/shm');
    return;
  }
  const volume = await mkdtemp(path.join(memory, 'direct-'));
  t.after(() => rm(volume, { recursive: true }));
  const opened = await openStore(t, {}, volume);
  for (const size of [DIRECT_BYTES, 2 * MiB + 17]) await comesBack(opened, size, size);
});

test('what the system does not take at once is written by the next calls', async t => {
  for (const most of [300_000, 4097, 4095, 1]) {
    const opened = await openStore(t);
    let calls = 0;
    watchWrites(t, (_, length, isDirect) => {
      calls += 1;
      // A few are enough, where one call takes a byte.
      return isDirect || calls < 50 ? Math.min(length, most) : undefined;
    });
    await comesBack(opened, most, 2 * MiB + 5000);
    t.mock.restoreAll();
  }
});

for (const code of ['ENOSPC', 'EIO'])
  for (const [where, isAt] of [
    ['past the cache', (isDirect: boolean): boolean => isDirect],
    ['at the end of the file', (isDirect: boolean): boolean => !isDirect],
  ] as const)
    test(`${code} ${where} fails the upload, and nothing is left of it`, async t => {
      const { store, volume } = await openStore(t);
      watchWrites(t, (position, _, isDirect) =>
        isAt(isDirect) && position >= DIRECT_BYTES ? failure(code) : undefined,
      );
      const size = 3 * DIRECT_BYTES + 100;
      await rejectsWith(
        store.put(generatedBytes(1, size), size),
        code === 'ENOSPC' ? 'ServiceUnavailable' : 'InternalError',
      );
      assert.deepEqual(await blobsUnder(volume), []);
      t.mock.restoreAll();
      await store.put(generatedBytes(1, size), size);
    });

test('an upload that breaks off, or has more or fewer bytes than announced, leaves nothing', async t => {
  const { store, volume } = await openStore(t);
  for (const bytes of [1000, DIRECT_BYTES, 2 * DIRECT_BYTES + 1000]) {
    const broken = new Readable({ read: () => undefined });
    broken.push(await generatedBuffer(1, bytes));
    setImmediate(() => broken.destroy());
    await rejectsWith(store.put(broken, 3 * MiB), 'IncompleteBody');
    await rejectsWith(store.put(generatedBytes(1, bytes), bytes + 1), 'IncompleteBody');
    await rejectsWith(store.put(generatedBytes(1, bytes), bytes - 1), 'InvalidInput');
  }
  assert.deepEqual(await blobsUnder(volume), []);
});

test('an upload holds two buffers at most, however slow the disk is and however fast it comes', async t => {
  const opened = await openStore(t);
  let most = 0;
  watchWrites(t, () => {
    most = Math.max(most, directBuffers.lent);
    return undefined;
  });
  const bytes = await generatedBuffer(1, 8 * MiB);
  const key = await opened.store.put(Readable.from([bytes]), bytes.length);
  assert.ok((await readFile(blobFile(opened.volume, key))).equals(bytes));
  assert.ok(most <= 2, `${most} buffers`);
});

test('a write that is given up keeps its buffer until the system has answered', async t => {
  const { store } = await openStore(t, { timeoutMs: 500 });
  const { write } = fs;
  let answer: (() => void) | undefined;
  // Nothing else keeps the process alive while no call is answered.
  const alive = setInterval(() => undefined, 1000);
  t.after(() => clearInterval(alive));
  type Write = (
    ...call: [number, Buffer, number, number, number | null, (err: Error | null) => void]
  ) => void;
  const hang: Write = (...call) => {
    if (call[4] === null) write(...call);
    else answer = () => write(...call);
  };
  t.mock.method(fs, 'write', hang);
  await assert.rejects(store.put(generatedBytes(1, 3 * MiB), 3 * MiB), err =>
    isErrorType(err, 'ServiceUnavailable'),
  );
  const lent = (): number => directBuffers.lent;
  assert.equal(lent(), 1);
  answer?.();
  while (lent() > 0) await new Promise(resolve => setImmediate(resolve));
});
