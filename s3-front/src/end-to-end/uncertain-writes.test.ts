/** Changes whose outcome the front does not learn: whatever became of them, no object loses its data. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { BucketAttributes } from '../bucket-attributes.js';
import type { ObjectValue } from '../object-value.js';
import { refused } from '../testing/expect-error.js';
import { type Fate, isDeletion, isPut, type MetadataRelay } from '../testing/metadata-relay.js';
import { startRelayedStack } from '../testing/relayed-stack.js';
import { assertBlobs, storedBlobs } from '../testing/stored-blobs.js';

const Bucket = 'uncertain';

/** Lets one kind of call on objects meet a fate; all others pass. */
function doom(relay: MetadataRelay, name: 'put' | 'del', fate: Fate): void {
  relay.fate = call =>
    (name === 'put' ? isPut : isDeletion)(call) && call.database === Bucket ? fate : 'passed';
}

test('changes whose outcome is not learned', async t => {
  const { s3, folder, metadata, relay } = await startRelayedStack(t);
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
  const stack = await startRelayedStack(t);
  const { s3, folder, metadata, relay } = stack;
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
