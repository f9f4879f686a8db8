/** What lies in the bucket past the store: damaged objects are errors, foreign ones no blobs, and blobs are named by keys. */
import assert from 'node:assert/strict';
import { buffer } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { Readable } from 'node:stream';
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { startTcpProxy } from '@zenko-modules/common/testing/tcp-proxy';
import { generatedBuffer, generatedBytes } from '../../testing/generated-bytes.js';
import { eventually } from '../../testing/harmed-transfers.js';
import { motoMissing, newBucket, sharedMoto } from '../../testing/moto-server.js';
import { S3Store, type S3StoreOptions } from './s3-store.js';
import { SEAL_BYTES } from './sealed-object.js';
import { s3Options } from './testing/s3-options.js';

const PART = 100_000;
const options = { skip: motoMissing };

async function open(t: TestContext, more: Partial<S3StoreOptions> = {}) {
  const place = await newBucket(t, (await sharedMoto()).port);
  const store = new S3Store(s3Options(place, { partBytes: PART, ...more }));
  t.after(() => store.close());
  const at = (key: string) => ({ Bucket: place.bucket, Key: `zenko-data/${key}` });
  const object = async (key: string): Promise<Buffer> => {
    const { Body } = await place.s3.getObject(at(key));
    assert.ok(Body instanceof Readable);
    return buffer(Body);
  };
  const replace = (key: string, bytes: Buffer) => place.s3.putObject({ ...at(key), Body: bytes });
  return { place, store, object, replace };
}

test('an object is its blob, and a seal behind it', options, async t => {
  const { store, object } = await open(t);
  const { seed } = seededRandom(t);
  for (const size of [0, 10, PART, 3 * PART + 1]) {
    const bytes = await object(await store.put(generatedBytes(seed, size), size));
    assert.equal(bytes.length, size + SEAL_BYTES);
    assert.ok(bytes.subarray(0, size).equals(await generatedBuffer(seed, size)));
  }
});

test('an object with other bytes, or cut off, is an error and never a blob', options, async t => {
  const { store, object, replace } = await open(t);
  const random = seededRandom(t);
  const read = async (key: string): Promise<Buffer> => buffer(await store.get(key));
  const isDamage = (err: unknown): boolean => {
    assert.ok(err instanceof CatalogueError && err.type === 'InternalError', String(err));
    assert.match(err.message, /damaged/);
    return true;
  };
  for (const size of [1, 1000, 66_000, 3 * PART]) {
    const key = await store.put(generatedBytes(random.seed, size), size);
    const whole = await object(key);
    const flipped = Buffer.from(whole);
    const at = random.integer(0, whole.length - 1);
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    for (const harmed of [flipped, whole.subarray(0, -1), whole.subarray(0, size), whole.subarray(0, 3)]) {
      await replace(key, harmed);
      await assert.rejects(read(key), isDamage, `${harmed.length} of ${whole.length} bytes`);
    }
    await replace(key, whole);
    assert.ok((await read(key)).equals(await generatedBuffer(random.seed, size)));
  }
});

test('objects of others under the prefix are no blobs, and stay', options, async t => {
  const { place, store, replace } = await open(t);
  await replace('notes.txt', Buffer.alloc(100));
  const key = await store.put(generatedBytes(1, 10), 10);
  const keys: string[] = [];
  for await (const found of store.keys()) keys.push(found);
  assert.deepEqual(keys, [key]);
  await assert.rejects(store.delete('notes.txt'), err => isErrorType(err, 'ObjNotFound'));
  assert.equal((await place.objects()).length, 2);
});

test('an upload that takes longer than it may fails and leaves nothing', options, async t => {
  const { place, store } = await open(t, { uploadMs: 1 });
  async function* slow(): AsyncGenerator<Buffer, void> {
    for (let i = 0; i < 4; i += 1) {
      yield Buffer.alloc(PART);
      await sleep(10);
    }
  }
  const put = store.put(Readable.from(slow(), { objectMode: false }), 4 * PART);
  await assert.rejects(put, /longer than S3_STORE_UPLOAD_MS/);
  await eventually('nothing is left', async () => (await place.count()) === 0);
});

test('closing does not wait for a sweep that the cluster leaves without an answer', options, async t => {
  const { port } = await sharedMoto();
  const { bucket } = await newBucket(t, port);
  const proxy = await startTcpProxy(t, port);
  proxy.standStill(true);
  const place = { bucket, endpoint: `http://127.0.0.1:${proxy.port}` };
  const store = new S3Store(s3Options(place, { sweeps: true, timeoutMs: 600_000 }));
  await eventually('the sweep has called', () => Promise.resolve(proxy.accepted() > 0));
  const waited = new AbortController();
  const ends = [
    store.close().then(() => 'closed'),
    sleep(20_000, waited.signal).then(() => 'it waits for the cluster'),
  ];
  const first = await Promise.race(ends);
  waited.abort();
  assert.equal(first, 'closed');
});

test('a blob of more parts than a cluster takes is refused at once', options, async t => {
  const { store } = await open(t);
  const source = new Readable({ read: () => undefined });
  await assert.rejects(store.put(source, 10_000 * PART + 1), err => isErrorType(err, 'EntityTooLarge'));
  source.destroy();
});
