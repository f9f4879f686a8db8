/** Many writers of the same keys at once, through one front: what is referenced is there, and nothing else. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { S3ServiceException } from '@aws-sdk/client-s3';
import { sleep } from '@zenko-modules/common/deadline';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { refused } from '../testing/expect-error.js';
import { type Fate, type MetadataRelay, startMetadataRelay } from '../testing/metadata-relay.js';
import { startStack } from '../testing/s3-stack.js';
import { storedBlobs } from '../testing/stored-blobs.js';

const Bucket = 'contended';
const KEYS = ['a', 'b', 'c'];
/** What may be answered where objects come and go. */
const EXPECTED = ['NoSuchKey', 'NotFound'];

test('objects that are written, copied, tagged and deleted at once stay whole', async t => {
  const random = seededRandom(t);
  const { s3, folder, metadata } = await startStack(t);
  await s3.createBucket({ Bucket });
  const key = (): string => KEYS[random.integer(0, KEYS.length - 1)] ?? '';
  const written = new Set<string>();
  const steps: (() => Promise<unknown>)[] = [
    () => {
      const Body = `${random.integer(0, 1e9)}`.repeat(random.integer(1, 2000));
      written.add(Body);
      return s3.putObject({ Bucket, Key: key(), Body });
    },
    () =>
      s3.copyObject({ Bucket, Key: key(), CopySource: `${Bucket}/${key()}`, TaggingDirective: 'REPLACE' }),
    () => s3.putObjectTagging({ Bucket, Key: key(), Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } }),
    () => s3.deleteObject({ Bucket, Key: key() }),
    async () => {
      const { Body } = await s3.getObject({ Bucket, Key: key() });
      const text = await Body?.transformToString();
      assert.ok(written.has(text ?? ''), 'what is read was written as a whole');
    },
  ];
  const worker = async (): Promise<void> => {
    for (let count = 0; count < 20; count += 1) {
      try {
        await steps[random.integer(0, steps.length - 1)]?.();
      } catch (err) {
        if (!(err instanceof S3ServiceException) || !EXPECTED.includes(err.name)) throw err;
      }
    }
  };
  await Promise.all(Array.from({ length: 12 }, worker));

  const referenced: string[] = [];
  for (const Key of KEYS) {
    const value = await metadata.getObject(Bucket, Key, {}, 'test');
    if (!value) continue;
    referenced.push(...(value.location ?? []).map(location => location.key));
    const { Body } = await s3.getObject({ Bucket, Key });
    assert.ok(written.has((await Body?.transformToString()) ?? ''));
  }
  assert.deepEqual(new Set(await storedBlobs(folder)), new Set(referenced));
});

test('of many who want to be the first to write a key, one is', async t => {
  const { s3, folder } = await startStack(t);
  await s3.createBucket({ Bucket });
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, (_, number) =>
      s3.putObject({ Bucket, Key: 'first', Body: `writer ${number}`, IfNoneMatch: '*' }),
    ),
  );
  const winners = results.flatMap(({ status }, number) => (status === 'fulfilled' ? [number] : []));
  assert.equal(winners.length, 1);
  const { Body } = await s3.getObject({ Bucket, Key: 'first' });
  assert.equal(await Body?.transformToString(), `writer ${winners[0] ?? ''}`);
  assert.equal((await storedBlobs(folder)).length, 1, 'the data of the others is gone');
});

/** A front whose next `put` on the bucket is held back until it is released. */
async function startHeld(t: TestContext) {
  let relay: MetadataRelay | undefined;
  const stack = await startStack(t, async port => {
    relay = await startMetadataRelay(t, port('METADATA_PORT'));
    return { METADATA_PORT: String(relay.port) };
  });
  assert.ok(relay);
  const { fate } = relay;
  const relayed = relay;
  await stack.s3.createBucket({ Bucket });
  const hold = (): { reached: Promise<void>; release: () => void } => {
    let release = (): void => undefined;
    const gate = new Promise<void>(resolve => (release = resolve));
    const reached = new Promise<void>(resolve => {
      relayed.fate = async (call): Promise<Fate> => {
        if (call.name !== 'put' || call.database !== Bucket) return 'passed';
        relayed.fate = fate;
        resolve();
        await gate;
        return 'passed';
      };
    });
    return { reached, release };
  };
  return { ...stack, hold };
}

test('a bucket is not deleted while an object is on its way into it', async t => {
  const { s3, hold } = await startHeld(t);
  const { reached, release } = hold();
  const written = s3.putObject({ Bucket, Key: 'k', Body: 'x' });
  await reached;
  const deleted = s3.deleteBucket({ Bucket });
  const outcome = refused(deleted, 'BucketNotEmpty', 409);
  await sleep(300);
  release();
  await Promise.all([written, outcome]);
  assert.equal((await s3.listObjectsV2({ Bucket })).KeyCount, 1);
});

test('an object that is tagged while another takes its place is not brought back without its data', async t => {
  const { s3, hold, folder } = await startHeld(t);
  await s3.putObject({ Bucket, Key: 'k', Body: 'old' });
  const { reached, release } = hold();
  const tagged = s3.putObjectTagging({ Bucket, Key: 'k', Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } });
  await reached;
  const replaced = s3.putObject({ Bucket, Key: 'k', Body: 'new' });
  await sleep(300);
  release();
  await Promise.all([tagged, replaced]);
  const { Body } = await s3.getObject({ Bucket, Key: 'k' });
  assert.equal(await Body?.transformToString(), 'new');
  assert.equal((await storedBlobs(folder)).length, 1);
});
