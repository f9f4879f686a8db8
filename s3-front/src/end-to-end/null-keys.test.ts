/** Null versions in the form that CloudServer 8 gives them by default: the current value alone, or under the null key. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ObjectValue } from '../object-value.js';
import { refused } from '../testing/expect-error.js';
import { startStack } from '../testing/s3-stack.js';
import { assertBlobs } from '../testing/stored-blobs.js';

const Bucket = 'null-keys';
const Tagging = { TagSet: [{ Key: 'a', Value: 'b' }] };

test('a null version that is the current value alone is tagged and deleted', async t => {
  const { s3, metadata, folder } = await startStack(t);
  await s3.createBucket({ Bucket });
  await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Suspended' } });
  const entries = async (): Promise<string[]> => {
    const keys: string[] = [];
    for await (const { key, value } of metadata.read(Bucket, {}, 'test')) {
      if (!value.includes('"isPHD":true')) keys.push(key);
    }
    return keys;
  };
  /** As CloudServer stores an object in a bucket whose versioning is suspended. */
  const putAsCloudServer = async (Key: string): Promise<void> => {
    await s3.putObject({ Bucket, Key, Body: Key });
    const stored = await metadata.getObject(Bucket, Key, {}, 'test');
    assert.ok(stored);
    const members = Object.entries({ ...stored, isNull2: true }).filter(([name]) => name !== 'versionId');
    const value = Object.fromEntries(members) as ObjectValue;
    await metadata.putObject(Bucket, Key, value, { versionId: '', deleteNullKey: true }, 'test');
    assert.deepEqual(await entries(), [Key]);
  };

  for (const VersionId of ['null', undefined]) {
    await t.test(`tags of version ${VersionId}`, async () => {
      await putAsCloudServer('k');
      await s3.putObjectTagging({ Bucket, Key: 'k', VersionId, Tagging });
      for (const of of ['null', undefined]) {
        const { TagSet } = await s3.getObjectTagging({ Bucket, Key: 'k', VersionId: of });
        assert.deepEqual(TagSet, Tagging.TagSet);
      }
      assert.deepEqual(await entries(), ['k'], 'no other version comes to be');
    });
  }

  await t.test('deletion', async () => {
    await s3.deleteObject({ Bucket, Key: 'k', VersionId: 'null' });
    await refused(s3.getObject({ Bucket, Key: 'k' }), 'NoSuchKey', 404);
    assert.deepEqual((await s3.listObjectVersions({ Bucket })).Versions ?? [], []);
    assert.deepEqual(await entries(), []);
    await assertBlobs(folder, []);
  });

  await t.test('deletion of the one under the null key', async () => {
    await putAsCloudServer('k');
    const current = await metadata.getObject(Bucket, 'k', {}, 'test');
    assert.ok(current);
    await metadata.putObject(Bucket, 'k', current, { versionId: 'null' }, 'test');
    await s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status: 'Enabled' } });
    await metadata.putObject(
      Bucket,
      'k',
      { ...current, location: null, 'content-length': 0, isNull: undefined, isNull2: undefined },
      { versioning: true },
      'test',
    );
    await s3.putObjectTagging({ Bucket, Key: 'k', VersionId: 'null', Tagging });
    const { TagSet } = await s3.getObjectTagging({ Bucket, Key: 'k', VersionId: 'null' });
    assert.deepEqual(TagSet, Tagging.TagSet);
    await s3.deleteObject({ Bucket, Key: 'k', VersionId: 'null' });
    assert.equal((await s3.listObjectVersions({ Bucket })).Versions?.length, 1);
    await assertBlobs(folder, []);
  });
});
