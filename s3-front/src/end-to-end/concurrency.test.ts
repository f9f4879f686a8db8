/** Many writers of the same keys at once, through one front: what is referenced is there, and nothing else. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { S3ServiceException } from '@aws-sdk/client-s3';
import { sleep } from '@zenko-modules/common/deadline';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { refused } from '../testing/expect-error.js';
import { type Fate, isPut } from '../testing/metadata-relay.js';
import { startRelayedStack } from '../testing/relayed-stack.js';
import { assertBlobs } from '../testing/stored-blobs.js';

const Bucket = 'contended';
const KEYS = ['a', 'b', 'c'];
/** What may be answered where objects come and go. */
const EXPECTED = ['NoSuchKey', 'NotFound'];

test('writers at the same time', async t => {
  const random = seededRandom(t);
  const { s3, folder, metadata, relay } = await startRelayedStack(t);
  await s3.createBucket({ Bucket });
  const read = async (Key: string): Promise<string | undefined> =>
    (await s3.getObject({ Bucket, Key })).Body?.transformToString();
  const clear = async (): Promise<void> => {
    const { Contents = [] } = await s3.listObjectsV2({ Bucket });
    for (const { Key } of Contents) await s3.deleteObject({ Bucket, Key });
    await assertBlobs(folder, []);
  };
  /** Holds the next `put` on the bucket back until it is released. */
  const holdPut = (): { reached: Promise<void>; release: () => void } => {
    let release = (): void => undefined;
    const gate = new Promise<void>(resolve => (release = resolve));
    const reached = new Promise<void>(resolve => {
      relay.fate = async (call): Promise<Fate> => {
        if (!isPut(call) || call.database !== Bucket) return 'passed';
        relay.fate = () => 'passed';
        resolve();
        await gate;
        return 'passed';
      };
    });
    return { reached, release };
  };

  await t.test('objects that are written, copied, tagged and deleted at once stay whole', async () => {
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
      async () => assert.ok(written.has((await read(key())) ?? ''), 'what is read was written as a whole'),
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
      assert.ok(written.has((await read(Key)) ?? ''));
    }
    await assertBlobs(folder, referenced);
    await clear();
  });

  await t.test('of many who want to be the first to write a key, one is', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 10 }, (_, number) =>
        s3.putObject({ Bucket, Key: 'first', Body: `writer ${number}`, IfNoneMatch: '*' }),
      ),
    );
    const winners = results.flatMap(({ status }, number) => (status === 'fulfilled' ? [number] : []));
    assert.equal(winners.length, 1);
    assert.equal(await read('first'), `writer ${winners[0] ?? ''}`);
    await assertBlobs(folder, 1, 'the data of the others is gone');
    await clear();
  });

  await t.test('an object that is tagged while another takes its place is not brought back', async () => {
    await s3.putObject({ Bucket, Key: 'k', Body: 'old' });
    const { reached, release } = holdPut();
    const Tagging = { TagSet: [{ Key: 'a', Value: 'b' }] };
    const tagged = s3.putObjectTagging({ Bucket, Key: 'k', Tagging });
    await reached;
    const replaced = s3.putObject({ Bucket, Key: 'k', Body: 'new' });
    await sleep(300);
    release();
    await Promise.all([tagged, replaced]);
    assert.equal(await read('k'), 'new');
    await assertBlobs(folder, 1);
    await clear();
  });

  await t.test('a bucket is not deleted while an object is on its way into it', async () => {
    const { reached, release } = holdPut();
    const written = s3.putObject({ Bucket, Key: 'k', Body: 'x' });
    await reached;
    const outcome = refused(s3.deleteBucket({ Bucket }), 'BucketNotEmpty', 409);
    await sleep(300);
    release();
    await Promise.all([written, outcome]);
    assert.equal((await s3.listObjectsV2({ Bucket })).KeyCount, 1);
  });
});
