/** Buckets that CloudServer gave versioning: the front writes to them as CloudServer does, and loses no version. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { BucketAttributes } from '../bucket-attributes.js';
import type { ObjectValue } from '../object-value.js';
import { BEFORE_VERSIONING } from '../operations/write-plan.js';
import { refused } from '../testing/expect-error.js';
import { type S3Stack, startStack } from '../testing/s3-stack.js';
import { assertBlobs, storedBlobs } from '../testing/stored-blobs.js';

/** What a database holds: values by key, version keys with `\0` shown as `|` and their ids left out but for the order. */
async function contentOf({ metadata }: S3Stack, Bucket: string): Promise<[string, ObjectValue][]> {
  const entries: [string, ObjectValue][] = [];
  for await (const { key, value } of metadata.read(Bucket, {}, 'test')) {
    entries.push([key.replace(/\0.*/, '|'), JSON.parse(value) as ObjectValue]);
  }
  return entries;
}

async function setVersioning(
  { metadata }: S3Stack,
  Bucket: string,
  Status: 'Enabled' | 'Suspended',
): Promise<void> {
  const bucket = (await metadata.getBucket(Bucket, 'test')) as BucketAttributes;
  await metadata.putBucket({ ...bucket, versioningConfiguration: { Status } }, 'test');
}

test('a bucket with versioning keeps every version', async t => {
  const Bucket = 'versioned';
  const stack = await startStack(t);
  const { s3, metadata, folder } = stack;
  const put = (Key: string, Body: string) => s3.putObject({ Bucket, Key, Body });
  const read = async (Key: string): Promise<string | undefined> =>
    (await s3.getObject({ Bucket, Key })).Body?.transformToString();
  const listed = async (): Promise<(string | undefined)[]> =>
    ((await s3.listObjectsV2({ Bucket })).Contents ?? []).map(({ Key }) => Key);
  const keys = async (): Promise<string[]> => (await contentOf(stack, Bucket)).map(([key]) => key);
  /** Every blob is referenced by some version, and each version's blob is there. */
  const assertNothingLost = async (): Promise<void> => {
    const blobs = new Set<string>();
    for (const [, value] of await contentOf(stack, Bucket))
      for (const { key } of value.location ?? []) blobs.add(key);
    await assertBlobs(folder, blobs);
  };
  await s3.createBucket({ Bucket });
  await put('pre', 'before versioning');
  await setVersioning(stack, Bucket, 'Enabled');

  await t.test('an overwritten object stays as a version', async () => {
    assert.equal((await s3.getBucketVersioning({ Bucket })).Status, 'Enabled');
    for (const body of ['one', 'two', 'three']) await put('k', body);
    assert.deepEqual(await keys(), ['k', 'k|', 'k|', 'k|', 'pre']);
    assert.equal(await read('k'), 'three');
    assert.deepEqual(await listed(), ['k', 'pre']);
    await assertNothingLost();
  });

  await t.test('an object from before versioning becomes the null version', async () => {
    await put('pre', 'since versioning');
    const versions = (await contentOf(stack, Bucket)).filter(([key]) => key.startsWith('pre'));
    assert.deepEqual(
      versions.map(([key]) => key),
      ['pre', 'pre|', 'pre|'],
    );
    assert.equal(versions[0]?.[1].nullVersionId, BEFORE_VERSIONING);
    const kept = await metadata.getObject(Bucket, 'pre', { versionId: BEFORE_VERSIONING }, 'test');
    assert.deepEqual(
      [kept?.isNull, kept?.versionId, kept?.['content-length']],
      [true, BEFORE_VERSIONING, 17],
    );
    await put('pre', 'again');
    assert.equal((await metadata.getObject(Bucket, 'pre', {}, 'test'))?.nullVersionId, BEFORE_VERSIONING);
    await assertNothingLost();
  });

  await t.test('tags change the newest version alone, in both its places', async () => {
    await s3.putObjectTagging({ Bucket, Key: 'k', Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } });
    const tags = (await contentOf(stack, Bucket))
      .filter(([key]) => key.startsWith('k'))
      .map(([, value]) => value.tags);
    assert.deepEqual(tags, [{ a: 'b' }, { a: 'b' }, {}, {}]);
  });

  await t.test('a copy onto itself is a version with data of its own', async () => {
    const more = { MetadataDirective: 'REPLACE', Metadata: { a: 'b' } } as const;
    await s3.copyObject({ Bucket, Key: 'k', CopySource: `${Bucket}/k`, ...more });
    assert.equal(await read('k'), 'three');
    const locations = (await contentOf(stack, Bucket))
      .filter(([key]) => key.startsWith('k|'))
      .map(([, { location }]) => location?.[0]?.key);
    assert.equal(new Set(locations).size, 4);
    await assertNothingLost();
  });

  await t.test('a deletion puts a marker over all versions', async () => {
    const before = (await storedBlobs(folder)).length;
    assert.equal((await s3.deleteObject({ Bucket, Key: 'k' })).DeleteMarker, true);
    await refused(s3.getObject({ Bucket, Key: 'k' }), 'NoSuchKey', 404);
    await refused(s3.headObject({ Bucket, Key: 'k' }), 'NotFound', 404);
    await refused(s3.getObjectTagging({ Bucket, Key: 'k' }), 'NoSuchKey', 404);
    const Tagging = { TagSet: [{ Key: 'a', Value: 'b' }] };
    await refused(s3.putObjectTagging({ Bucket, Key: 'k', Tagging }), 'NoSuchKey', 404);
    assert.deepEqual(await listed(), ['pre']);
    const { Deleted } = await s3.deleteObjects({ Bucket, Delete: { Objects: [{ Key: 'pre' }] } });
    const [{ DeleteMarkerVersionId, ...marker } = {}] = Deleted ?? [];
    assert.deepEqual(marker, { Key: 'pre', DeleteMarker: true });
    assert.ok(DeleteMarkerVersionId);
    assert.equal((await storedBlobs(folder)).length, before);
    assert.deepEqual(await listed(), []);
    await refused(s3.deleteBucket({ Bucket }), 'BucketNotEmpty', 409);
    await put('k', 'back again');
    assert.equal(await read('k'), 'back again');
    await assertNothingLost();
  });

  await t.test('a deleted newest version leaves the one before it to be seen', async () => {
    await put('rolled back', 'old');
    await put('rolled back', 'new');
    const newest = (await metadata.getObject(Bucket, 'rolled back', {}, 'test'))?.versionId ?? '';
    const { location } = (await metadata.getObject(Bucket, 'rolled back', {}, 'test')) as ObjectValue;
    await metadata.dropVersion(Bucket, 'rolled back', newest, 'test');
    assert.ok((await listed()).includes('rolled back'), 'while a place holder stands for it');
    assert.equal(await read('rolled back'), 'old');
    assert.ok((await listed()).includes('rolled back'));
    assert.equal(location?.length, 1);
  });
});

test('a bucket with versioning suspended replaces its null version and keeps the others', async t => {
  const Bucket = 'suspended';
  const stack = await startStack(t);
  const { s3, metadata, folder } = stack;
  const put = (Key: string, Body: string) => s3.putObject({ Bucket, Key, Body });
  const read = async (Key: string): Promise<string | undefined> =>
    (await s3.getObject({ Bucket, Key })).Body?.transformToString();
  await s3.createBucket({ Bucket });
  await put('pre', 'before');
  await setVersioning(stack, Bucket, 'Enabled');
  await put('pre', 'versioned');
  await put('k', 'versioned');
  await setVersioning(stack, Bucket, 'Suspended');
  await assertBlobs(folder, 3);

  await put('k', 'null 1');
  await assertBlobs(folder, 4);
  await put('k', 'null 2');
  await assertBlobs(folder, 4, 'the data of the null version that was replaced is gone');
  assert.equal(await read('k'), 'null 2');

  await put('pre', 'null 3');
  await assertBlobs(folder, 4, 'so is that of a null version kept as a version');
  assert.equal(await read('pre'), 'null 3');

  await setVersioning(stack, Bucket, 'Enabled');
  await put('k', 'versioned again');
  await assertBlobs(folder, 5);
  const master = await metadata.getObject(Bucket, 'k', {}, 'test');
  const nullVersion = await metadata.getObject(
    Bucket,
    'k',
    { versionId: master?.nullVersionId ?? '' },
    'test',
  );
  assert.deepEqual([nullVersion?.isNull, nullVersion?.['content-length']], [true, 6]);

  await setVersioning(stack, Bucket, 'Suspended');
  await s3.deleteObject({ Bucket, Key: 'pre' });
  await refused(s3.getObject({ Bucket, Key: 'pre' }), 'NoSuchKey', 404);
  await assertBlobs(folder, 4, 'a null delete marker takes the place of the null version');
  const versions = (await contentOf(stack, Bucket)).filter(([key]) => key === 'pre|');
  assert.deepEqual(
    versions.map(([, value]) => value['content-length']),
    [9],
  );
  const referenced = (await contentOf(stack, Bucket)).flatMap(([, { location }]) =>
    (location ?? []).map(({ key }) => key),
  );
  await assertBlobs(folder, referenced);
});
