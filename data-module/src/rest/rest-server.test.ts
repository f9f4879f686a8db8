/** Slow, vanishing and standing-still clients, and stores that fail in the midst of an answer. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { collectGarbage } from '@zenko-modules/common/testing/collect-garbage';
import { sleep } from '@zenko-modules/common/deadline';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { Registry } from 'prom-client';
import { createDataMetrics } from '../data-metrics.js';
import { DATA_SETTINGS } from '../data-settings.js';
import type { DataStore } from '../data-store.js';
import { openDiskStore } from '../stores/disk/disk-store.js';
import { StoreLayer } from '../stores/store-layer.js';
import { blobsUnder } from '../testing/blob-files.js';
import { generatedBytes } from '../testing/generated-bytes.js';
import { HttpStore } from '../testing/http-store.js';
import { openFilesUnder } from '../testing/open-files.js';
import { connectRaw } from '../testing/raw-http.js';
import { TransferMemory } from '../transfer-memory.js';
import { startRestServer } from './rest-server.js';

const MiB = 1024 * 1024;
const WAIT_MS = 15_000;

interface Served {
  readonly port: number;
  readonly volume: string;
  readonly disk: DataStore;
  readonly close: (graceMs: number) => Promise<void>;
}

/** A server over a real volume; `change` lays its own methods over those of the disk store. */
async function serve(
  t: TestContext,
  idleMs: number,
  change: (disk: DataStore) => Partial<DataStore>,
  memoryBytes?: number,
): Promise<Served> {
  const volume = await temporaryFolder(t);
  const disk = await openDiskStore(volume, silentLogger());
  const store: DataStore = {
    put: (source, size) => disk.put(source, size),
    stat: key => disk.stat(key),
    get: (key, range) => disk.get(key, range),
    delete: key => disk.delete(key),
    diskUsage: () => disk.diskUsage(),
    ping: () => disk.ping(),
    close: () => disk.close(),
    ...change(disk),
  };
  const env = { DATA_PORT: '0', DATA_IDLE_TIMEOUT_MS: String(idleMs) };
  const settings = readSettings(DATA_SETTINGS, env);
  const server = await startRestServer({
    store: new StoreLayer(store),
    memory: new TransferMemory(memoryBytes ?? settings.DATA_MEMORY_BYTES),
    transferMemoryBytes: MiB,
    settings,
    metrics: createDataMetrics(new Registry()),
    log: silentLogger(),
  });
  let closing: Promise<void> | undefined;
  const close = (graceMs: number): Promise<void> => (closing ??= server.close(graceMs));
  t.after(() => close(0));
  return { port: server.ports.DATA_PORT ?? 0, volume, disk, close };
}

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what}, within ${WAIT_MS} ms`);
    await sleep(20);
  }
}

const hasNoFiles = async (volume: string): Promise<boolean> => (await openFilesUnder(volume)).length === 0;
const filesOf = async (volume: string): Promise<number> => (await blobsUnder(volume)).length;

test('an upload that stands still is cut by the idle limit and leaves nothing', async t => {
  const { port, volume } = await serve(t, 1000, () => ({}));
  const connection = connectRaw(port);
  connection.write('PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nfirst bytes');
  await connection.closed;
  await eventually('the upload is gone', async () => (await filesOf(volume)) === 0 && hasNoFiles(volume));
});

test('an upload that takes far longer than the idle limit is stored as long as it moves', async t => {
  const { port } = await serve(t, 2000, () => ({}));
  const connection = connectRaw(port);
  connection.write('PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n');
  for (let sent = 0; sent < 20; sent += 1) {
    connection.write('x');
    await sleep(250);
  }
  await connection.until('HTTP/1.1 201 ');
  connection.destroy();
});

test('a complete upload that the store takes long for is not cut by the idle limit', async t => {
  const { port } = await serve(t, 1000, disk => ({
    put: async (source, size) => {
      const key = await disk.put(source, size);
      await sleep(2500);
      return key;
    },
  }));
  const connection = connectRaw(port);
  connection.write('PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nbytes');
  await connection.until('HTTP/1.1 201 ');
  connection.destroy();
});

test('a reader that stands still is cut by the idle limit, and its file closed', async t => {
  const { port, volume, disk } = await serve(t, 1000, () => ({}));
  const key = await disk.put(generatedBytes(1, 64 * MiB), 64 * MiB);
  const store = new HttpStore(port);
  t.after(() => store.close());
  const stream = await store.get(key);
  stream.on('error', () => stream.destroy());
  assert.equal(await hasNoFiles(volume), false);
  await eventually('the file is closed', () => hasNoFiles(volume));
});

test('readers that hang up in the midst leave no file open', async t => {
  const { port, volume, disk } = await serve(t, 60_000, () => ({}));
  const key = await disk.put(generatedBytes(1, 16 * MiB), 16 * MiB);
  for (let i = 0; i < 20; i += 1) {
    const connection = connectRaw(port);
    connection.write(`GET /DataFile/${key} HTTP/1.1\r\nHost: x\r\n\r\n`);
    if (i % 2 === 0) await connection.until('HTTP/1.1 200 ');
    connection.destroy();
  }
  await eventually('the files are closed', () => hasNoFiles(volume));
});

test('a reader that hangs up while the store looks for the blob leaves no file open', async t => {
  const { port, volume, disk } = await serve(t, 60_000, slow => ({
    get: async (key, range) => {
      await sleep(200);
      return slow.get(key, range);
    },
  }));
  const key = await disk.put(generatedBytes(1, 4 * MiB), 4 * MiB);
  const connection = connectRaw(port);
  connection.write(`GET /DataFile/${key} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await sleep(50);
  connection.destroy();
  await sleep(300);
  await eventually('the file is closed', () => hasNoFiles(volume));
});

test('a blob whose sender went away before the answer is removed: nobody knows its key', async t => {
  const stored: string[] = [];
  const { port, disk } = await serve(t, 60_000, slow => ({
    put: async (source, size) => {
      const key = await slow.put(source, size);
      await sleep(300);
      stored.push(key);
      return key;
    },
  }));
  const connection = connectRaw(port);
  connection.write('PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nbytes');
  await sleep(100);
  connection.destroy();
  await eventually('the blob was stored', () => Promise.resolve(stored.length === 1));
  await eventually('the blob is gone', async () =>
    disk.stat(stored[0] ?? '').then(
      () => false,
      () => true,
    ),
  );
});

test('of uploads behind each other only the first has begun when the client leaves, and it is removed', async t => {
  let begun = 0;
  const { port, volume } = await serve(t, 60_000, slow => ({
    put: async (source, size) => {
      begun += 1;
      const key = await slow.put(source, size);
      await sleep(300);
      return key;
    },
  }));
  const connection = connectRaw(port);
  connection.write('PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nbytes'.repeat(20));
  await eventually('the first has begun', () => Promise.resolve(begun > 0));
  connection.destroy();
  await sleep(600);
  assert.equal(begun, 1);
  await eventually('no blob stays', async () => (await filesOf(volume)) === 0);
});

const BROKEN_STREAMS: Readonly<Record<string, () => Generator<Buffer>>> = {
  'fails half-way': function* () {
    for (let i = 0; i < 20; i += 1) yield Buffer.alloc(64 * 1024);
    throw new Error('the store failed');
  },
  'ends early': function* () {
    for (let i = 0; i < 20; i += 1) yield Buffer.alloc(64 * 1024);
  },
  'goes on too long': function* () {
    for (let i = 0; i < 100; i += 1) yield Buffer.alloc(64 * 1024);
  },
};

test('a blob that cannot be read to its end is a broken answer, never a complete one', async t => {
  for (const [name, pieces] of Object.entries(BROKEN_STREAMS)) {
    await t.test(`its stream ${name}`, async inner => {
      const { port, disk } = await serve(inner, 60_000, () => ({
        get: () => Promise.resolve(Readable.from(pieces(), { objectMode: false })),
      }));
      const key = await disk.put(generatedBytes(1, 4 * MiB), 4 * MiB);
      const connection = connectRaw(port);
      connection.write(`GET /DataFile/${key} HTTP/1.1\r\nHost: x\r\n\r\n`);
      const answer = await connection.closed;
      assert.match(answer, /^HTTP\/1.1 200 /);
      const got = answer.length - answer.indexOf('\r\n\r\n') - 4;
      assert.ok(got < 4 * MiB || name === 'goes on too long', `${got} bytes`);
      assert.ok(got <= 4 * MiB, `${got} bytes`);
    });
  }
});

test('when it stops, requests in flight end, their connections close, and new ones are refused', async t => {
  const { port, disk, close } = await serve(t, 60_000, () => ({}));
  const upload = connectRaw(port);
  upload.write('PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfive.');
  const idle = connectRaw(port);
  idle.write('GET /DataFile/abcd HTTP/1.1\r\nHost: x\r\n\r\n');
  await idle.until('ObjNotFound');
  await sleep(100);
  const closing = close(WAIT_MS);
  await idle.closed;
  assert.equal(await connectRaw(port).closed, '');
  upload.write('five.');
  const answer = await upload.closed;
  assert.match(answer, /^HTTP\/1.1 201 /);
  assert.match(answer, /connection: close/i);
  await closing;
  const key = /DataFile\/([0-9a-f]{40})/.exec(answer)?.[1] ?? '';
  assert.equal(await disk.stat(key), 10);
});

test('when it stops, requests that do not end in time are cut, and their uploads leave nothing', async t => {
  const { port, volume, close } = await serve(t, 60_000, () => ({}));
  const upload = connectRaw(port);
  upload.write('PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nfive.');
  await eventually('the upload has begun', async () => !(await hasNoFiles(volume)));
  await close(200);
  assert.equal(await upload.closed, '');
  await eventually('the upload is gone', async () => (await filesOf(volume)) === 0);
});

test('bodies that come byte by byte while their uploads wait for memory are left unread', async t => {
  const BYTES = 3000;
  const { port } = await serve(t, 60_000, () => ({}), 1);
  const head = `PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: ${BYTES}\r\n\r\n`;
  // It has all of the memory, as nobody else is there.
  const first = connectRaw(port);
  first.write(`${head}x`);
  const connections = Array.from({ length: 40 }, () => connectRaw(port));
  for (const connection of connections) connection.write(head);
  await sleep(100);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let sent = 0; sent < BYTES; sent += 1) {
    for (const connection of connections) connection.write('x');
    await new Promise(setImmediate);
  }
  collectGarbage();
  const held = process.memoryUsage().heapUsed - before;
  t.diagnostic(`${held} bytes are held`);
  first.write('x'.repeat(BYTES - 1));
  for (const connection of [first, ...connections]) {
    await connection.until('HTTP/1.1 201 ');
    connection.destroy();
  }
  assert.ok(held < connections.length * BYTES * 80, `${held} bytes`);
});
