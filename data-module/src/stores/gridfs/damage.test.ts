/** What lies in the bucket: drivers read it, what is lost or damaged is named, and what belongs to no file is swept. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError } from '@zenko-modules/common/errors';
import { StartError } from '@zenko-modules/common/start-error';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { startTcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { MongoClient, ObjectId } from 'mongodb';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { digestOf, generatedBuffer, generatedBytes } from '../../testing/generated-bytes.js';
import { startTestModule } from '../../testing/start-module.js';
import { newBlobKey } from '../blob-key.js';
import { GridFsStore, type GridFsStoreOptions } from './gridfs-store.js';
import { gridFsOptions, type GridFsPlace, newPlace, sharedMongodb } from './testing/gridfs-place.js';

const CHUNK = 10_000;
const options = { skip: mongodbMissing };
const SETTLE_MS = 30_000;

async function open(t: TestContext, more: Partial<GridFsStoreOptions> = {}) {
  const place = await newPlace(t);
  const store = new GridFsStore(gridFsOptions(place, { chunkBytes: CHUNK, ...more }));
  t.after(() => store.close());
  return { place, store };
}

const isDamage =
  (what: RegExp) =>
  (err: unknown): boolean => {
    assert.ok(err instanceof CatalogueError && err.type === 'InternalError', String(err));
    assert.match(err.message, what);
    return true;
  };

test("the driver's own bucket reads what the store has written", options, async t => {
  const { place, store } = await open(t);
  const { seed } = seededRandom(t);
  for (const size of [0, 1, CHUNK, 3 * CHUNK + 1]) {
    const key = await store.put(generatedBytes(seed, size), size);
    const byName = place.bucket.openDownloadStreamByName(key);
    assert.deepEqual(await digestOf(byName), await digestOf(generatedBytes(seed, size)), `${size} bytes`);
  }
});

test('files of other tools in the same bucket are no blobs, and stay', options, async t => {
  const { place, store } = await open(t);
  const foreign = place.bucket.openUploadStream('report.pdf');
  await pipeline(Readable.from([Buffer.alloc(1000, 7)]), foreign);
  const key = await store.put(Readable.from([Buffer.from('ours')]), 4);
  const keys: string[] = [];
  for await (const found of store.keys()) keys.push(found);
  assert.deepEqual(keys, [key]);
  const sweeping = new GridFsStore(gridFsOptions(place, { sweeps: true, uploadMs: 1 }));
  await sleep(300);
  await sweeping.close();
  assert.deepEqual(await buffer(place.bucket.openDownloadStreamByName('report.pdf')), Buffer.alloc(1000, 7));
  assert.equal((await buffer(await store.get(key))).toString(), 'ours');
});

test(
  'a lost chunk is an error that names it, before the first byte where it is the first',
  options,
  async t => {
    const { place, store } = await open(t);
    const { seed } = seededRandom(t);
    const size = 20 * CHUNK;
    for (const n of [0, 7, 19]) {
      const key = await store.put(generatedBytes(seed, size), size);
      await place.chunks.deleteOne({ files_id: key, n });
      const named = isDamage(new RegExp(`^chunk ${n} of 20 of blob ${key} is lost$`));
      const read = store.get(key).then(stream => buffer(stream));
      await assert.rejects(read, named);
      if (n === 0) await assert.rejects(store.get(key), named);
      // Ranges of other chunks are as they were.
      const { start, end } = { start: 10 * CHUNK, end: 12 * CHUNK };
      const part = await buffer(await store.get(key, { start, end }));
      assert.ok(part.equals((await generatedBuffer(seed, size)).subarray(start, end + 1)));
      await store.delete(key);
    }
  },
);

test('damaged bytes, chunks that changed places and a wrong files document are found', options, async t => {
  const { place, store } = await open(t);
  const { seed } = seededRandom(t);
  const size = 5 * CHUNK - 1;
  const put = (): Promise<string> => store.put(generatedBytes(seed, size), size);
  const read = async (key: string): Promise<Buffer> => buffer(await store.get(key));
  const chunk = async (key: string, n: number) => {
    const found = await place.chunks.findOne({ files_id: key, n });
    assert.ok(found !== null);
    return found;
  };

  const flipped = await put();
  const { data } = await chunk(flipped, 3);
  data[500] = (data[500] ?? 0) ^ 4;
  await place.chunks.updateOne({ files_id: flipped, n: 3 }, { $set: { data } });
  await assert.rejects(read(flipped), isDamage(/^chunk 3 of 5 of blob .* is damaged$/));
  await assert.rejects(
    store.get(flipped, { start: 3 * CHUNK, end: 3 * CHUNK + 1 }),
    isDamage(/^chunk 3 of 5/),
  );

  const short = await put();
  await place.chunks.updateOne({ files_id: short, n: 4 }, { $set: { data: Buffer.alloc(10) } });
  await assert.rejects(read(short), isDamage(/^chunk 4 of 5 of blob .* is damaged$/));

  const swapped = await put();
  const [one, two] = [await chunk(swapped, 1), await chunk(swapped, 2)];
  for (const [n, { data: other, crc32c }] of [[1, two] as const, [2, one] as const])
    await place.chunks.updateOne({ files_id: swapped, n }, { $set: { data: other, crc32c } });
  await assert.rejects(read(swapped), isDamage(/do not fit its checksum/));

  const unreadable = await put();
  await place.files.updateOne({ _id: unreadable }, { $unset: { metadata: 1 } });
  await assert.rejects(read(unreadable), isDamage(/files document of blob .* cannot be read/));
  await assert.rejects(store.stat(unreadable), isDamage(/files document/));
});

test('a range reads no chunk but those that it lies in', options, async t => {
  const { place, store } = await open(t);
  const { seed } = seededRandom(t);
  const size = 30 * CHUNK;
  const key = await store.put(generatedBytes(seed, size), size);
  await place.chunks.deleteMany({ files_id: key, n: { $nin: [10, 11] } });
  const range = { start: 10 * CHUNK, end: 12 * CHUNK - 1 };
  const part = await buffer(await store.get(key, range));
  assert.ok(part.equals((await generatedBuffer(seed, size)).subarray(range.start, range.end + 1)));
});

test('of several modules that delete a blob at once one succeeds', options, async t => {
  const { place, store } = await open(t);
  const other = new GridFsStore(gridFsOptions(place));
  t.after(() => other.close());
  const key = await store.put(Readable.from([Buffer.from('bytes')]), 5);
  const ends = await Promise.allSettled([store, other, store, other].map(each => each.delete(key)));
  assert.equal(ends.filter(({ status }) => status === 'fulfilled').length, 1);
});

/** As if it had been made so long ago. */
function idOf(madeMsAgo: number): ObjectId {
  const seconds = Math.floor((Date.now() - madeMsAgo) / 1000);
  return new ObjectId(seconds.toString(16).padStart(8, '0') + randomBytes(8).toString('hex'));
}

async function addOrphan({ chunks }: GridFsPlace, key: string, madeMsAgo: number): Promise<void> {
  for (let n = 0; n < 3; n += 1)
    await chunks.insertOne({ _id: idOf(madeMsAgo), files_id: key, n, data: Buffer.alloc(9), crc32c: 0 });
}

test('chunks that belong to no file are swept when they are old, and no others', options, async t => {
  const { place, store } = await open(t);
  const { seed } = seededRandom(t);
  const uploadMs = 100_000;
  const kept: string[] = [];
  // Blobs of none, one and many chunks.
  for (const size of [0, 1, CHUNK + 1, 30 * CHUNK])
    kept.push(await store.put(generatedBytes(seed, size), size));
  const [old, young] = [newBlobKey(), newBlobKey()];
  await addOrphan(place, old, 3 * uploadMs);
  await addOrphan(place, young, uploadMs);
  // Of a blob that is as old, but is there.
  await place.chunks.deleteOne({ files_id: kept[1] ?? '' });
  await place.chunks.insertOne({
    _id: idOf(3 * uploadMs),
    files_id: kept[1] ?? '',
    n: 0,
    data: Buffer.alloc(1),
    crc32c: 0,
  });
  const before = await place.chunks.countDocuments();
  const sweeping = new GridFsStore(gridFsOptions(place, { sweeps: true, uploadMs }));
  t.after(() => sweeping.close());
  const deadline = Date.now() + SETTLE_MS;
  while ((await place.chunks.countDocuments({ files_id: old })) > 0 && Date.now() < deadline) await sleep(50);
  await sleep(300);
  assert.equal(await place.chunks.countDocuments({ files_id: old }), 0);
  assert.equal(await place.chunks.countDocuments(), before - 3);
});

test(
  'an old chunk without a file is swept, and what was written later under its key stays',
  options,
  async t => {
    const place = await newPlace(t);
    const uploadMs = 100_000;
    const key = newBlobKey();
    // As when a copy that was resumed writes a blob anew while the sweep is at what the first try left of it.
    for (const [n, madeMsAgo] of [3 * uploadMs, uploadMs, 0].entries())
      await place.chunks.insertOne({
        _id: idOf(madeMsAgo),
        files_id: key,
        n,
        data: Buffer.alloc(9),
        crc32c: 0,
      });
    const sweeping = new GridFsStore(gridFsOptions(place, { sweeps: true, uploadMs }));
    t.after(() => sweeping.close());
    const deadline = Date.now() + SETTLE_MS;
    while ((await place.chunks.countDocuments({ n: 0 })) > 0 && Date.now() < deadline) await sleep(50);
    const left = await place.chunks.find().sort({ n: 1 }).toArray();
    assert.deepEqual(
      left.map(({ n }) => n),
      [1, 2],
    );
  },
);

test(
  'an upload whose last chunk is in time, and its end is not, fails and leaves nothing',
  options,
  async t => {
    const uploadMs = 500;
    const { place, store } = await open(t, { uploadMs });
    async function* late(): AsyncGenerator<Buffer, void> {
      yield Buffer.alloc(CHUNK);
      await sleep(2 * uploadMs);
    }
    const put = store.put(Readable.from(late(), { objectMode: false }), CHUNK);
    await assert.rejects(put, /longer than GRIDFS_UPLOAD_MS/);
    const deadline = Date.now() + SETTLE_MS;
    while ((await place.count()) > 0 && Date.now() < deadline) await sleep(50);
    assert.equal(await place.count(), 0);
  },
);

test('a time for uploads that calls in their midst may outlast stops the start', async t => {
  const env = {
    DATA_BACKEND: 'gridfs',
    DATA_DIR: await temporaryFolder(t),
    MONGODB_URL: 'mongodb://127.0.0.1:1/',
    MONGODB_TIMEOUT_MS: '5000',
    GRIDFS_UPLOAD_MS: '9999',
  };
  await assert.rejects(startTestModule(t, env), err => {
    assert.ok(err instanceof StartError, String(err));
    assert.match(err.message, /^GRIDFS_UPLOAD_MS: "?9999"?.* 10000/);
    return true;
  });
});

test('an upload that takes longer than it may fails and leaves nothing', options, async t => {
  const { place, store } = await open(t, { uploadMs: 1 });
  async function* slow(): AsyncGenerator<Buffer, void> {
    for (let i = 0; i < 4; i += 1) {
      yield Buffer.alloc(CHUNK);
      await sleep(10);
    }
  }
  const put = store.put(Readable.from(slow(), { objectMode: false }), 4 * CHUNK);
  await assert.rejects(put, /longer than GRIDFS_UPLOAD_MS/);
  const deadline = Date.now() + SETTLE_MS;
  while ((await place.count()) > 0 && Date.now() < deadline) await sleep(50);
  assert.equal(await place.count(), 0);
});

test('the indexes of GridFS are there before the first chunk', options, async t => {
  const { place, store } = await open(t);
  await store.put(Readable.from([Buffer.from('bytes')]), 5);
  const client = new MongoClient(place.url);
  try {
    const indexes = await client.db(place.database).collection('fs.chunks').indexes();
    assert.ok(
      indexes.some(({ key, unique }) => JSON.stringify(key) === '{"files_id":1,"n":1}' && unique === true),
    );
  } finally {
    await client.close();
  }
});

test('closing does not wait for a sweep that MongoDB leaves without an answer', options, async t => {
  const { port } = new URL((await sharedMongodb()).replace(/^mongodb/, 'http'));
  const proxy = await startTcpProxy(t, Number(port));
  proxy.standStill(true);
  const place = { url: `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`, database: 'test' };
  const store = new GridFsStore(gridFsOptions(place, { sweeps: true, timeoutMs: 60_000 }));
  while (proxy.accepted() === 0) await sleep(10);
  const waited = new AbortController();
  const ends = [
    store.close().then(() => 'closed'),
    sleep(20_000, waited.signal).then(() => 'it waits for MongoDB'),
  ];
  const first = await Promise.race(ends);
  waited.abort();
  assert.equal(first, 'closed');
});
