import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { runFilter } from '../../framework/contract/queue-populator-extension.js';
import { SortByTypePopulator } from '../sortByType/populator.js';
import { SortByTypeProcessor } from '../sortByType/processor.js';
import { validateSortByTypeConfig } from '../sortByType/config.js';
import { failureKind } from '../../framework/processor/failures.js';
import { moverThrough, testS3Client } from '../../testing/moving.js';
import { VersionedS3 } from '../../testing/versioned-s3.js';

interface Setup {
  readonly s3: VersionedS3;
  readonly port: number;
  readonly move: (key: string, overwrite?: boolean) => Promise<void>;
}

async function setUp(t: test.TestContext): Promise<Setup> {
  const s3 = new VersionedS3();
  for (const bucket of ['incoming', 'texts']) s3.buckets.set(bucket, new Map());
  const port = await s3.start(t);
  return { s3, port, move: moverThrough(port, 'incoming', 'texts').move };
}

const TEXT = { headers: { 'content-type': 'text/plain' } };
const kindsOf = (s3: VersionedS3, bucket: string, key: string): string[] =>
  (s3.buckets.get(bucket)?.get(key) ?? []).map(({ isMarker, body }) => (isMarker ? 'marker' : body));

test('the current version is moved, and a delete marker covers what stays', async t => {
  const { s3, move } = await setUp(t);
  s3.put('incoming', 'k', 'old', TEXT);
  s3.put('incoming', 'k', 'new', { ...TEXT, tags: { a: 'b' } });
  await move('k');
  assert.deepEqual(kindsOf(s3, 'incoming', 'k'), ['marker', 'new', 'old']);
  assert.equal(s3.current('texts', 'k')?.body, 'new');
  assert.deepEqual(s3.current('texts', 'k')?.tags, { a: 'b' });
  await assert.rejects(move('k'), (err: unknown) => failureKind(err) === 'gone');
  assert.deepEqual(kindsOf(s3, 'incoming', 'k'), ['marker', 'new', 'old']);
});

test('what moving writes gives rise to no further move', async t => {
  const { s3, port } = await setUp(t);
  const config = validateSortByTypeConfig({}, { buckets: ['incoming'], targets: { text: 'texts' } });
  const logger = silentLogger();
  const populator = new SortByTypePopulator({ config, logger });
  const processor = new SortByTypeProcessor({
    config,
    backbeatConfig: {} as never,
    logger,
    createS3Client: overrides => testS3Client(port, overrides),
    publish: () => Promise.resolve(),
  });
  s3.put('incoming', 'k', 'first', TEXT);
  s3.put('incoming', 'k', 'second', TEXT);
  const outcomes: string[] = [];
  for (const entry of s3.log) {
    for (const { key, value } of await runFilter(populator, entry)) {
      const message = { topic: 't', partition: 0, offset: '0', timestamp: 0, headers: {}, key, value };
      const done = processor.processEntry(message, AbortSignal.timeout(30_000));
      outcomes.push(await done.then(() => 'moved', failureKind));
      assert.ok(outcomes.length < 10);
    }
  }
  // The message of the first version found the second, which leaves nothing for its own.
  assert.deepEqual(outcomes, ['moved', 'gone']);
  assert.deepEqual(kindsOf(s3, 'incoming', 'k'), ['marker', 'second', 'first']);
  assert.deepEqual(kindsOf(s3, 'texts', 'k'), ['second']);
});

for (const comparesAtDeletion of [true, false]) {
  const server = comparesAtDeletion ? 'a server that compares' : 'a server that does not compare';
  test(`a version that comes just before the deletion stays the current one, on ${server}`, async t => {
    const { s3, move } = await setUp(t);
    s3.comparesAtDeletion = comparesAtDeletion;
    s3.put('incoming', 'k', 'first', TEXT);
    let came = false;
    s3.before = (method, url) => {
      if (method !== 'DELETE' || !url.startsWith('/incoming/k') || came) return;
      came = true;
      s3.put('incoming', 'k', 'second', TEXT);
    };
    await assert.rejects(move('k'), /was written again while it was moved/);
    assert.deepEqual(kindsOf(s3, 'incoming', 'k'), ['second', 'first']);
    assert.deepEqual(kindsOf(s3, 'texts', 'k'), [], 'the outdated copy is taken back');
    await move('k');
    assert.equal(s3.current('texts', 'k')?.body, 'second');
    assert.deepEqual(kindsOf(s3, 'incoming', 'k'), ['marker', 'second', 'first']);
  });
}

test('an object over 5 GiB is refused for good, and nothing is touched', async t => {
  const { s3, move } = await setUp(t);
  const size = 5 * 1024 ** 3;
  const sized = (bytes: number) => ({ headers: { ...TEXT.headers, 'content-length': String(bytes) } });
  s3.put('incoming', 'large', 'in truth small', sized(size + 1));
  await assert.rejects(move('large'), {
    name: 'PermanentError',
    message: 'incoming/large is larger than the 5 GiB that S3 copies at once',
  });
  assert.deepEqual(kindsOf(s3, 'incoming', 'large'), ['in truth small']);
  assert.deepEqual(kindsOf(s3, 'texts', 'large'), []);
});

test('a copy whose ETag differs, as that of an upload in parts may, is compared by its bytes', async t => {
  const { s3, move } = await setUp(t);
  const parts = { headers: { ...TEXT.headers, etag: '"0123456789abcdef0123456789abcdef-2"' } };
  s3.put('incoming', 'k', 'in parts', parts);
  await move('k');
  assert.deepEqual(kindsOf(s3, 'incoming', 'k'), ['marker', 'in parts']);
  // As an attempt that was killed after its copy leaves it.
  s3.put('incoming', 'left', 'in parts', parts);
  s3.put('texts', 'left', 'in parts', TEXT);
  await move('left');
  assert.deepEqual(kindsOf(s3, 'texts', 'left'), ['in parts']);
  s3.put('incoming', 'other', 'in parts', parts);
  s3.put('texts', 'other', 'in PARTS', TEXT);
  await assert.rejects(move('other'), { name: 'PermanentError' });
});
