/** Changes that come to the metadata module long after they were given up: they undo nothing that came since. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { CompleteMultipartUploadCommandOutput } from '@aws-sdk/client-s3';
import { isErrorType } from '@zenko-modules/common/errors';
import type { ObjectValue } from '../object-value.js';
import { refused } from '../testing/expect-error.js';
import { type Fate, isDeletion, isPut, type RelayedCall } from '../testing/metadata-relay.js';
import { startRelayedStack } from '../testing/relayed-stack.js';
import { assertBlobs } from '../testing/stored-blobs.js';

const Bucket = 'late';

test('a change that comes when its key has been written or deleted since changes nothing', async t => {
  const { s3, folder, relay } = await startRelayedStack(t);
  await s3.createBucket({ Bucket });
  const versioning = (Status: 'Enabled' | 'Suspended') =>
    s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status } });
  const put = (Key: string, Body: string) => s3.putObject({ Bucket, Key, Body });
  const tag = (Key: string, VersionId?: string) =>
    s3.putObjectTagging({ Bucket, Key, VersionId, Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } });
  const read = async (Key: string): Promise<string | undefined> =>
    (await s3.getObject({ Bucket, Key })).Body?.transformToString();
  const listed = async (Key: string): Promise<(string | undefined)[]> => {
    const { Versions = [] } = await s3.listObjectVersions({ Bucket, Prefix: Key });
    return Versions.map(({ VersionId }) => VersionId);
  };
  /** Refuses the first change that this is to make of an object. Resolves with what lets it come. */
  const late = async (change: () => Promise<unknown>): Promise<() => Promise<void>> => {
    let kept: RelayedCall | undefined;
    relay.fate = call => {
      if ((!isPut(call) && !isDeletion(call)) || call.database !== Bucket) return 'passed';
      kept = call;
      relay.fate = () => 'passed';
      return { refused: 'ServiceUnavailable' };
    };
    await refused(change(), 'ServiceUnavailable', 503);
    return async () => {
      assert.ok(kept);
      await relay.make(kept).catch((err: unknown) => {
        if (!isErrorType(err, 'PreconditionFailed')) throw err;
      });
    };
  };
  const beginUpload = async (Key: string): Promise<() => Promise<CompleteMultipartUploadCommandOutput>> => {
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key });
    const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' });
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    return () => s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload });
  };
  let blobs = 0;
  for (const Key of ['kept null', 'null', 'only null']) await put(Key, 'old');
  blobs += 3;

  await t.test('tags, and a copy in place', async () => {
    const copy = (Key: string) =>
      s3.copyObject({ Bucket, Key, CopySource: `${Bucket}/${Key}`, MetadataDirective: 'REPLACE' });
    for (const change of [tag, copy]) {
      const { name: Key } = change;
      await put(Key, 'old');
      const come = await late(() => change(Key));
      await put(Key, 'new');
      await assertBlobs(folder, (blobs += 1));
      await come();
      assert.equal(await read(Key), 'new');
      const again = await late(() => change(Key));
      await s3.deleteObject({ Bucket, Key });
      await assertBlobs(folder, (blobs -= 1));
      await again();
      await refused(read(Key), 'NoSuchKey', 404);
    }
  });

  await t.test('a deletion', async () => {
    const Key = 'deletion';
    await put(Key, 'old');
    const come = await late(() => s3.deleteObject({ Bucket, Key }));
    await put(Key, 'new');
    await come();
    assert.equal(await read(Key), 'new');
    await assertBlobs(folder, (blobs += 1));
  });

  await t.test('a completion that was tried again', async () => {
    const Key = 'completed';
    const complete = await beginUpload(Key);
    const come = await late(complete);
    await complete();
    assert.equal(await read(Key), 'part');
    await put(Key, 'new');
    await assertBlobs(folder, (blobs += 1));
    await come();
    assert.equal(await read(Key), 'new');
  });

  await t.test('a completion that was tried again, whose object was deleted', async () => {
    const Key = 'completed and deleted';
    const complete = await beginUpload(Key);
    const come = await late(complete);
    await complete();
    await s3.deleteObject({ Bucket, Key });
    await assertBlobs(folder, blobs);
    await come();
    await refused(read(Key), 'NoSuchKey', 404);
  });

  await t.test('a completion of an upload that was aborted', async () => {
    const Key = 'aborted';
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key });
    const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' });
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    const come = await late(() => s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload }));
    await s3.abortMultipartUpload({ Bucket, Key, UploadId });
    await come();
    await refused(read(Key), 'NoSuchKey', 404);
    // Left to a later sweep: not every module would have refused it.
    blobs += 1;
  });

  await t.test('an upload', async () => {
    const Key = 'upload';
    const come = await late(() => put(Key, 'old'));
    await put(Key, 'new');
    await come();
    assert.equal(await read(Key), 'new');
    const again = await late(() => put(Key, 'older'));
    await put(Key, 'newer');
    await again();
    assert.equal(await read(Key), 'newer');
    // The data of the two that were given up stays, for their objects might have been stored.
    await assertBlobs(folder, (blobs += 3));
  });

  await t.test('tags of a version that was deleted', async () => {
    await versioning('Enabled');
    const Key = 'version';
    const first = await put(Key, 'first');
    const second = await put(Key, 'second');
    const come = await late(() => tag(Key, second.VersionId));
    await s3.deleteObject({ Bucket, Key, VersionId: second.VersionId });
    await come();
    assert.equal(await read(Key), 'first');
    assert.deepEqual(await listed(Key), [first.VersionId]);
    await put(Key, 'third');
    const older = await late(() => tag(Key, first.VersionId));
    await s3.deleteObject({ Bucket, Key, VersionId: first.VersionId });
    await older();
    assert.equal((await listed(Key)).length, 1);
    await assertBlobs(folder, (blobs += 1));
  });

  await t.test('an upload or a delete marker where there are versions', async () => {
    const Key = 'versions';
    const first = await put(Key, 'first');
    const come = await late(() => put(Key, 'late'));
    const second = await put(Key, 'second');
    await come();
    assert.equal(await read(Key), 'second');
    const marker = await late(() => s3.deleteObject({ Bucket, Key }));
    const third = await put(Key, 'third');
    await marker();
    assert.equal(await read(Key), 'third');
    assert.deepEqual(await listed(Key), [third.VersionId, second.VersionId, first.VersionId]);
    await assertBlobs(folder, (blobs += 4));
  });

  await t.test('a completion that was tried again, and whose version was deleted', async () => {
    const Key = 'completed version';
    const { VersionId } = await put(Key, 'before');
    const complete = await beginUpload(Key);
    const come = await late(complete);
    const completed = await complete();
    await s3.deleteObject({ Bucket, Key, VersionId: completed.VersionId });
    await assertBlobs(folder, (blobs += 1));
    await come();
    assert.equal(await read(Key), 'before');
    assert.deepEqual(await listed(Key), [VersionId]);
  });

  await t.test('an upload or a completion where versioning is suspended', async () => {
    await versioning('Suspended');
    const Key = 'suspended';
    const come = await late(() => put(Key, 'old'));
    await put(Key, 'new');
    await come();
    assert.equal(await read(Key), 'new');
    await assertBlobs(folder, (blobs += 2));
    const complete = await beginUpload(Key);
    const completion = await late(complete);
    await complete();
    await put(Key, 'newer');
    await completion();
    assert.equal(await read(Key), 'newer');
    assert.deepEqual(await listed(Key), ['null']);
    await assertBlobs(folder, blobs);
    await versioning('Enabled');
  });

  await t.test('a deletion of the null version that was the only one', async () => {
    const Key = 'only null';
    const come = await late(() => s3.deleteObject({ Bucket, Key, VersionId: 'null' }));
    const { VersionId } = await put(Key, 'new');
    await come();
    assert.equal(await read(Key), 'new');
    assert.deepEqual(await listed(Key), [VersionId, 'null']);
    await assertBlobs(folder, (blobs += 1));
  });

  await t.test('a null version that was to be kept under a new one, or tagged', async () => {
    const deleteNull = (Key: string) => s3.deleteObject({ Bucket, Key, VersionId: 'null' });
    const come = await late(() => put('kept null', 'refused'));
    await versioning('Suspended');
    await put('kept null', 'new');
    await assertBlobs(folder, blobs);
    await come();
    assert.deepEqual(await listed('kept null'), ['null']);
    await deleteNull('kept null');
    await refused(read('kept null'), 'NoSuchKey', 404);
    assert.deepEqual(await listed('kept null'), []);

    await put('null', 'newer');
    const tags = await late(() => tag('null'));
    await put('null', 'newest');
    await tags();
    assert.deepEqual(await listed('null'), ['null']);
    assert.equal(await read('null'), 'newest');
    await deleteNull('null');
    await refused(read('null'), 'NoSuchKey', 404);
    assert.deepEqual(await listed('null'), []);
    await assertBlobs(folder, blobs - 2);
  });
});

test('a change is made anew when somebody else has written the key meanwhile, and told to have failed when it always is', async t => {
  const { s3, folder, metadata, relay } = await startRelayedStack(t);
  await s3.createBucket({ Bucket });
  const Key = 'k';
  await s3.putObject({ Bucket, Key, Body: 'x' });
  let value: ObjectValue | undefined;
  /** Somebody else writes the key before each of so many changes comes. */
  const meddle = (times: number): void => {
    let left = times;
    relay.fate = async (call): Promise<Fate> => {
      if ((!isPut(call) && !isDeletion(call)) || call.database !== Bucket || left === 0) return 'passed';
      left -= 1;
      value = (await metadata.getObject(Bucket, Key, {}, 'test')) ?? value;
      assert.ok(value);
      await metadata.putObject(Bucket, Key, { ...value, 'x-amz-meta-by': `another ${left}` }, {}, 'test');
      return 'passed';
    };
  };
  const TagSet = [{ Key: 'a', Value: 'b' }];
  const tag = () => s3.putObjectTagging({ Bucket, Key, Tagging: { TagSet } });
  meddle(2);
  await tag();
  assert.deepEqual((await s3.headObject({ Bucket, Key })).Metadata, { by: 'another 0' });
  assert.deepEqual((await s3.getObjectTagging({ Bucket, Key })).TagSet, TagSet);
  meddle(2);
  const { ETag } = await s3.putObject({ Bucket, Key, Body: 'y' });
  assert.equal((await s3.headObject({ Bucket, Key })).ETag, ETag);
  await assertBlobs(folder, 1);

  meddle(1);
  await s3.deleteObject({ Bucket, Key });
  await refused(s3.headObject({ Bucket, Key }), 'NotFound', 404);
  meddle(1);
  await refused(s3.putObject({ Bucket, Key, Body: 'first', IfNoneMatch: '*' }), 'PreconditionFailed', 412);

  await s3.putObject({ Bucket, Key, Body: 'old' });
  meddle(1000);
  await refused(s3.putObject({ Bucket, Key, Body: 'never' }), 'SlowDown', 503);
  await refused(s3.deleteObject({ Bucket, Key }), 'SlowDown', 503);
  await refused(tag(), 'SlowDown', 503);
  await assertBlobs(folder, 1);
  await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } });
  meddle(1);
  const { VersionId } = await s3.putObject({ Bucket, Key, Body: 'new' });
  meddle(1);
  const { VersionId: marker } = await s3.deleteObject({ Bucket, Key });
  const { Versions = [], DeleteMarkers = [] } = await s3.listObjectVersions({ Bucket });
  const ids = [...DeleteMarkers, ...Versions].map(version => version.VersionId);
  assert.deepEqual(new Set(ids), new Set([marker, VersionId, 'null']));
});

test('a metadata module that cannot compare takes the same changes', async t => {
  const { s3 } = await startRelayedStack(t, { compares: false });
  await s3.createBucket({ Bucket });
  const Key = 'k';
  const { UploadId } = await s3.createMultipartUpload({ Bucket, Key });
  const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'part' });
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
  await s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload });
  const Metadata = { by: 'copy' };
  await s3.copyObject({ Bucket, Key, CopySource: `${Bucket}/k`, MetadataDirective: 'REPLACE', Metadata });
  const TagSet = [{ Key: 'a', Value: 'b' }];
  await s3.putObjectTagging({ Bucket, Key, Tagging: { TagSet } });
  await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } });
  await s3.putObject({ Bucket, Key, Body: 'new' });
  const { Body, ...kept } = await s3.getObject({ Bucket, Key, VersionId: 'null' });
  assert.deepEqual([await Body?.transformToString(), kept.Metadata, kept.TagCount], ['part', Metadata, 1]);
});
