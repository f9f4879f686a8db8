/** Changes whose outcome the front does not learn: whatever became of them, no object loses its data. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { CompleteMultipartUploadCommandOutput } from '@aws-sdk/client-s3';
import { isErrorType } from '@zenko-modules/common/errors';
import type { BucketAttributes } from '../bucket-attributes.js';
import type { ObjectValue } from '../object-value.js';
import { refused } from '../testing/expect-error.js';
import {
  type Fate,
  isDeletion,
  isPut,
  type MetadataRelay,
  type RelayedCall,
  startMetadataRelay,
} from '../testing/metadata-relay.js';
import { startStack } from '../testing/s3-stack.js';
import { assertBlobs, storedBlobs } from '../testing/stored-blobs.js';

const Bucket = 'uncertain';

/** Lets one kind of call on objects meet a fate; all others pass. */
function doom(relay: MetadataRelay, name: 'put' | 'del', fate: Fate): void {
  relay.fate = call =>
    (name === 'put' ? isPut : isDeletion)(call) && call.database === Bucket ? fate : 'passed';
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
    relay.fate = call =>
      isDeletion(call) && call.args[0] === 'b' ? { refused: 'ServiceUnavailable' } : 'passed';
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

test('a null version that could not be deleted when it was replaced does not come back', async t => {
  let started: MetadataRelay | undefined;
  const stack = await startStack(t, async port => {
    started = await startMetadataRelay(t, port('METADATA_PORT'));
    return { METADATA_PORT: String(started.port) };
  });
  assert.ok(started);
  const relay = started;
  const { s3, folder, metadata } = stack;
  await s3.createBucket({ Bucket });
  const versioning = (Status: 'Enabled' | 'Suspended') =>
    s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status } });
  const put = (Key: string, Body: string) => s3.putObject({ Bucket, Key, Body });
  const read = async (Key: string, VersionId?: string): Promise<string | undefined> =>
    (await s3.getObject({ Bucket, Key, VersionId })).Body?.transformToString();
  const deleteNull = (Key: string) => s3.deleteObject({ Bucket, Key, VersionId: 'null' });
  const passAll = (): void => {
    relay.fate = () => 'passed';
  };
  /** Deletions of these numbers fail, counted from now on. */
  const failDeletions = (...numbers: readonly number[]): void => {
    let seen = 0;
    relay.fate = ({ name, database }) => {
      if (name !== 'del' || database !== Bucket) return 'passed';
      seen += 1;
      return numbers.includes(seen) ? { refused: 'ServiceUnavailable' } : 'passed';
    };
  };
  /** While no version can be deleted. */
  const keeping = async <T>(work: () => Promise<T>): Promise<T> => {
    doom(relay, 'del', { refused: 'ServiceUnavailable' });
    const done = await work();
    passAll();
    return done;
  };
  const listed = async (Key: string): Promise<(string | undefined)[]> => {
    const { Versions = [] } = await s3.listObjectVersions({ Bucket, Prefix: Key });
    return Versions.map(({ VersionId }) => VersionId);
  };
  /** The null versions that are stored of a key, in whatever form; each has a blob of its own. */
  const storedNulls = async (Key: string): Promise<number> => {
    const ids = new Set<string>();
    for await (const { key, value } of metadata.read(Bucket, { gte: Key, lt: `${Key}\x01` }, 'test')) {
      const stored = JSON.parse(value) as ObjectValue;
      if (stored.isNull === true) ids.add(stored.versionId ?? key);
    }
    return ids.size;
  };
  const cases = [
    'put',
    'deleted',
    'marker',
    'twice',
    'refused',
    'kept',
    'tagged',
    'shared',
    'killed',
  ] as const;
  for (const Key of cases) await put(Key, 'old');
  await versioning('Enabled');
  const versions = new Map<string, string | undefined>();
  for (const Key of cases) versions.set(Key, (await put(Key, 'version')).VersionId);
  await versioning('Suspended');
  let blobs = 2 * cases.length;
  await assertBlobs(folder, blobs);

  await t.test('it is not listed, and goes with the next upload', async () => {
    await keeping(() => put('put', 'new'));
    assert.equal(await storedNulls('put'), 2);
    assert.deepEqual(await listed('put'), ['null', versions.get('put')]);
    await put('put', 'newer');
    assert.equal(await storedNulls('put'), 1);
    await assertBlobs(folder, blobs);
  });

  await t.test('it goes when the null version is deleted', async () => {
    await keeping(() => put('deleted', 'new'));
    await deleteNull('deleted');
    await refused(read('deleted', 'null'), 'NoSuchVersion', 404);
    assert.equal(await read('deleted'), 'version');
    assert.equal(await storedNulls('deleted'), 0);
    await assertBlobs(folder, (blobs -= 1));
  });

  await t.test('it goes when a null delete marker is put over it, or is deleted', async () => {
    await keeping(() => put('marker', 'new'));
    await keeping(() => s3.deleteObject({ Bucket, Key: 'marker' }));
    await deleteNull('marker');
    assert.equal(await read('marker'), 'version');
    assert.equal(await storedNulls('marker'), 0);
    await assertBlobs(folder, (blobs -= 1));
  });

  await t.test('it goes also when that fails again', async () => {
    await keeping(() => put('twice', 'new'));
    await keeping(() => put('twice', 'newer'));
    await deleteNull('twice');
    await refused(read('twice', 'null'), 'NoSuchVersion', 404);
    assert.equal(await storedNulls('twice'), 0);
    await assertBlobs(folder, (blobs -= 1));
  });

  await t.test('while it cannot be deleted, neither can the one that is in its place', async () => {
    await keeping(() => put('refused', 'new'));
    for (const number of [1, 2]) {
      failDeletions(number);
      await refused(deleteNull('refused'), 'ServiceUnavailable', 503);
      passAll();
      assert.equal(await read('refused', 'null'), 'new');
      assert.equal(await storedNulls('refused'), number === 1 ? 2 : 1);
    }
    await assertBlobs(folder, blobs);
    await deleteNull('refused');
    assert.equal(await storedNulls('refused'), 0);
    await assertBlobs(folder, (blobs -= 1));
  });

  await t.test('it goes with a null version that is kept under a newer one', async () => {
    await keeping(() => put('kept', 'new'));
    await versioning('Enabled');
    const { VersionId } = await put('kept', 'newest');
    await versioning('Suspended');
    assert.equal(await read('kept', 'null'), 'new');
    assert.deepEqual(await listed('kept'), [VersionId, 'null', versions.get('kept')]);
    await deleteNull('kept');
    await refused(read('kept', 'null'), 'NoSuchVersion', 404);
    assert.equal(await storedNulls('kept'), 0);
    await assertBlobs(folder, blobs);
  });

  const Tagging = { TagSet: [{ Key: 'a', Value: 'b' }] };
  await t.test('so it is with the version that tags have made of a null version', async () => {
    await put('tagged', 'new');
    await s3.putObjectTagging({ Bucket, Key: 'tagged', Tagging });
    await keeping(() => put('tagged', 'newer'));
    assert.equal(await storedNulls('tagged'), 2);
    await deleteNull('tagged');
    await refused(read('tagged', 'null'), 'NoSuchVersion', 404);
    assert.equal(await storedNulls('tagged'), 0);
    await assertBlobs(folder, (blobs -= 1));
  });

  await t.test('its data stays for as long as a copy of it onto itself has the same', async () => {
    await put('shared', 'new');
    await s3.putObjectTagging({ Bucket, Key: 'shared', Tagging });
    const CopySource = `${Bucket}/shared`;
    await keeping(() =>
      s3.copyObject({
        Bucket,
        Key: 'shared',
        CopySource,
        MetadataDirective: 'REPLACE',
        Metadata: { a: 'b' },
      }),
    );
    assert.equal(await storedNulls('shared'), 2);
    failDeletions(2);
    await refused(deleteNull('shared'), 'ServiceUnavailable', 503);
    passAll();
    assert.equal(await storedNulls('shared'), 1);
    assert.equal(await read('shared'), 'new');
    await put('shared', 'newer');
    await assertBlobs(folder, blobs);
  });

  await t.test('a front that was killed before the deletion leaves nothing that comes back', async () => {
    relay.fate = async ({ name, database }) => {
      if (name !== 'del' || database !== Bucket) return 'passed';
      await stack.kill('s3-front');
      return { refused: 'ServiceUnavailable' };
    };
    await assert.rejects(put('killed', 'new'));
    passAll();
    await stack.restart('s3-front');
    assert.equal(await read('killed'), 'new');
    await s3.deleteObject({ Bucket, Key: 'killed', VersionId: versions.get('killed') });
    await deleteNull('killed');
    await refused(read('killed'), 'NoSuchKey', 404);
    assert.deepEqual(await listed('killed'), []);
    assert.equal(await storedNulls('killed'), 0);
    await assertBlobs(folder, (blobs -= 2));
  });
});

test('a change that comes when its key has been written or deleted since changes nothing', async t => {
  let started: MetadataRelay | undefined;
  const { s3, folder } = await startStack(t, async port => {
    started = await startMetadataRelay(t, port('METADATA_PORT'));
    return { METADATA_PORT: String(started.port) };
  });
  assert.ok(started);
  const relay = started;
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
  let started: MetadataRelay | undefined;
  const { s3, folder, metadata } = await startStack(t, async port => {
    started = await startMetadataRelay(t, port('METADATA_PORT'));
    return { METADATA_PORT: String(started.port) };
  });
  assert.ok(started);
  const relay = started;
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
  let started: MetadataRelay | undefined;
  const { s3 } = await startStack(t, async port => {
    started = await startMetadataRelay(t, port('METADATA_PORT'), { compares: false });
    return { METADATA_PORT: String(started.port) };
  });
  assert.ok(started);
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
