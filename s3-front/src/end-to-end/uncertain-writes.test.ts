/** Changes whose outcome the front does not learn: whatever became of them, no object loses its data. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { BucketAttributes } from '../bucket-attributes.js';
import { refused } from '../testing/expect-error.js';
import { type Fate, type MetadataRelay, startMetadataRelay } from '../testing/metadata-relay.js';
import { startStack } from '../testing/s3-stack.js';
import { storedBlobs } from '../testing/stored-blobs.js';

const Bucket = 'uncertain';

/** Lets one kind of call on objects meet a fate; all others pass. */
function doom(relay: MetadataRelay, name: 'put' | 'del', fate: Fate): void {
  relay.fate = call => (call.name === name && call.database === Bucket ? fate : 'passed');
}

test('changes whose outcome is not learned', async t => {
  let started: MetadataRelay | undefined;
  const { s3, folder, metadata } = await startStack(t, async port => {
    started = await startMetadataRelay(t, port('METADATA_PORT'));
    return { METADATA_PORT: String(started.port) };
  });
  assert.ok(started);
  const relay = started;
  await s3.createBucket({ Bucket });
  const read = async (Key: string): Promise<string | undefined> =>
    (await s3.getObject({ Bucket, Key })).Body?.transformToString();
  const blobs = async (): Promise<number> => (await storedBlobs(folder)).length;
  const put = (Key: string, Body: string) => s3.putObject({ Bucket, Key, Body });
  const passAll = (): void => {
    relay.fate = () => 'passed';
  };
  await put('k', 'old');

  await t.test(
    'a put that was made and is not known to be keeps its data, and that of the one before',
    async () => {
      doom(relay, 'put', { answerLost: 'ServiceUnavailable' });
      await refused(put('k', 'new'), 'ServiceUnavailable', 503);
      passAll();
      assert.equal(await read('k'), 'new');
      assert.equal(await blobs(), 2);
    },
  );

  await t.test('a put that was not made and may have been leaves the object as it was', async () => {
    for (const type of ['ServiceUnavailable', 'InternalError'] as const) {
      doom(relay, 'put', { refused: type });
      await refused(put('k', 'never'), type, type === 'InternalError' ? 500 : 503);
      passAll();
      assert.equal(await read('k'), 'new');
    }
    assert.equal(await blobs(), 4);
  });

  await t.test('a put that was refused leaves nothing behind', async () => {
    doom(relay, 'put', { refused: 'InvalidArgument' });
    await refused(put('k', 'never'), 'InternalError', 500);
    await refused(s3.copyObject({ Bucket, Key: 'c', CopySource: `${Bucket}/k` }), 'InternalError', 500);
    passAll();
    assert.equal(await read('k'), 'new');
    assert.equal(await blobs(), 4);
  });

  await t.test('a deletion that is not known to be made keeps the data', async () => {
    for (const fate of [{ refused: 'ServiceUnavailable' }, { answerLost: 'ServiceUnavailable' }] as const) {
      doom(relay, 'del', fate);
      await refused(s3.deleteObject({ Bucket, Key: 'k' }), 'ServiceUnavailable', 503);
      passAll();
      assert.equal(await blobs(), 4);
      if ('refused' in fate) assert.equal(await read('k'), 'new');
    }
    await refused(read('k'), 'NoSuchKey', 404);
    await s3.deleteObject({ Bucket, Key: 'k' });
  });

  await t.test('of several deletions those that failed are named', async () => {
    for (const Key of ['a', 'b', 'c']) await put(Key, Key);
    relay.fate = ({ name, args }) =>
      name === 'del' && args[0] === 'b' ? { refused: 'ServiceUnavailable' } : 'passed';
    const Objects = ['a', 'b', 'c'].map(Key => ({ Key }));
    const { Deleted, Errors } = await s3.deleteObjects({ Bucket, Delete: { Objects } });
    passAll();
    assert.deepEqual(
      Deleted?.map(({ Key }) => Key),
      ['a', 'c'],
    );
    assert.deepEqual(
      Errors?.map(({ Key, Code }) => [Key, Code]),
      [['b', 'ServiceUnavailable']],
    );
    assert.equal(await read('b'), 'b');
    await s3.deleteObject({ Bucket, Key: 'b' });
  });

  await t.test('tags that are not known to be put leave the object readable', async () => {
    await put('t', 'x');
    for (const fate of [{ refused: 'ServiceUnavailable' }, { answerLost: 'ServiceUnavailable' }] as const) {
      doom(relay, 'put', fate);
      const Tagging = { TagSet: [{ Key: 'a', Value: 'b' }] };
      await refused(s3.putObjectTagging({ Bucket, Key: 't', Tagging }), 'ServiceUnavailable', 503);
      passAll();
      assert.equal(await read('t'), 'x');
    }
    assert.equal((await s3.getObjectTagging({ Bucket, Key: 't' })).TagSet?.length, 1);
  });

  await t.test('a null version whose deletion failed after it was replaced keeps its data', async () => {
    const bucket = (await metadata.getBucket(Bucket, 'test')) as BucketAttributes;
    const versioning = (Status: 'Enabled' | 'Suspended'): Promise<void> =>
      metadata.putBucket({ ...bucket, versioningConfiguration: { Status } }, 'test');
    const before = await blobs();
    await put('null', 'null 1');
    await versioning('Enabled');
    await put('null', 'versioned');
    await versioning('Suspended');
    doom(relay, 'del', { refused: 'ServiceUnavailable' });
    await put('null', 'null 2');
    passAll();
    assert.equal(await read('null'), 'null 2');
    assert.equal(await blobs(), before + 3);
  });

  await t.test('a bucket whose making or deletion stopped half-way is finished by the next try', async () => {
    /** The change of this number fails, counted from now on. */
    const failAt = (number: number): void => {
      let seen = 0;
      relay.fate = ({ name }) => {
        if (name === 'put' || name === 'del') seen += 1;
        return seen === number ? { refused: 'ServiceUnavailable' } : 'passed';
      };
    };
    const names = async (): Promise<(string | undefined)[]> =>
      (await s3.listBuckets({ Prefix: 'half' })).Buckets?.map(({ Name }) => Name) ?? [];
    for (const step of [1, 2, 3]) {
      failAt(step);
      await refused(s3.createBucket({ Bucket: 'half' }), 'ServiceUnavailable', 503);
      passAll();
      await refused(s3.headBucket({ Bucket: 'half' }), 'NotFound', 404);
      await s3.createBucket({ Bucket: 'half' });
      assert.deepEqual(await names(), ['half']);

      failAt(step);
      await refused(s3.deleteBucket({ Bucket: 'half' }), 'ServiceUnavailable', 503);
      passAll();
      if (step > 1) {
        await refused(s3.headBucket({ Bucket: 'half' }), 'NotFound', 404);
        await s3.createBucket({ Bucket: 'half' });
      }
      await s3.deleteBucket({ Bucket: 'half' });
      assert.deepEqual(await names(), []);
    }
  });
});
