/** Many writers of the same keys at once, through one front: what is referenced is there, and nothing else. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { S3ServiceException } from '@aws-sdk/client-s3';
import { seededRandom } from '@zenko-modules/common/testing/random';
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

test('a bucket that is deleted while objects are written to it is either kept or empty', async t => {
  const { s3, folder } = await startStack(t);
  for (let round = 0; round < 5; round += 1) {
    const name = `round-${round}`;
    await s3.createBucket({ Bucket: name });
    const writes = Array.from({ length: 6 }, (_, number) =>
      s3.putObject({ Bucket: name, Key: String(number), Body: 'x' }).then(
        () => true,
        () => false,
      ),
    );
    const deleted = await s3.deleteBucket({ Bucket: name }).then(
      () => true,
      () => false,
    );
    const stored = (await Promise.all(writes)).filter(Boolean).length;
    if (deleted) assert.equal(stored, 0, 'a write was acknowledged in a bucket that is gone');
    else assert.equal((await s3.listObjectsV2({ Bucket: name })).KeyCount, stored);
    for (let number = 0; !deleted && number < 6; number += 1) {
      await s3.deleteObject({ Bucket: name, Key: String(number) });
    }
  }
  assert.deepEqual(await storedBlobs(folder), []);
});
