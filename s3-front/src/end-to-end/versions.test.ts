/** Versions by their ids: read, listed, copied, tagged and deleted; a model says what must be there. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { S3 } from '@aws-sdk/client-s3';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { refused } from '../testing/expect-error.js';
import { sendSigned } from '../testing/raw-request.js';
import { type S3Stack, startStack } from '../testing/s3-stack.js';
import { assertBlobs } from '../testing/stored-blobs.js';

const Bucket = 'versions';

const setVersioning = (s3: S3, Status: 'Enabled' | 'Suspended') =>
  s3.putBucketVersioning({ Bucket, VersioningConfiguration: { Status } });

async function read(s3: S3, Key: string, VersionId?: string): Promise<string | undefined> {
  const { Body } = await s3.getObject({ Bucket, Key, VersionId });
  return Body?.transformToString();
}

interface Seen {
  readonly key: string;
  readonly id: string;
  readonly isMarker: boolean;
  readonly isLatest: boolean;
}

/** All versions, by pages of `MaxKeys`; each page as full as it can be. */
async function listAll(s3: S3, MaxKeys: number, more: object = {}): Promise<Seen[]> {
  const seen: Seen[] = [];
  let marker: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {};
  for (;;) {
    const page = await s3.listObjectVersions({ Bucket, MaxKeys, ...more, ...marker });
    const found = [
      ...(page.Versions ?? []).map(version => ({ ...version, isMarker: false })),
      ...(page.DeleteMarkers ?? []).map(version => ({ ...version, isMarker: true })),
    ];
    for (const { Key = '', VersionId = '', IsLatest = false, isMarker } of found) {
      seen.push({ key: Key, id: VersionId, isMarker, isLatest: IsLatest });
    }
    if (page.IsTruncated !== true) return seen;
    assert.equal(found.length, MaxKeys);
    marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
  }
}

/** Each version has its data, and no blob is left that none has. */
async function assertData({ metadata, folder }: S3Stack): Promise<void> {
  const named = new Set<string>();
  for await (const { value } of metadata.read(Bucket, {}, 'test')) {
    const { location } = JSON.parse(value) as { location?: { key: string }[] | null };
    for (const { key } of location ?? []) named.add(key);
  }
  await assertBlobs(folder, named);
}

test('versions are read, copied, tagged and deleted by their ids', async t => {
  const stack = await startStack(t);
  const { s3, url } = stack;
  await s3.createBucket({ Bucket });
  assert.equal((await s3.getBucketVersioning({ Bucket })).Status, undefined);
  const before = await s3.putObject({ Bucket, Key: 'k', Body: 'before' });
  assert.equal(before.VersionId, undefined);
  assert.deepEqual(await listAll(s3, 10), [{ key: 'k', id: 'null', isMarker: false, isLatest: true }]);
  assert.equal(await read(s3, 'k', 'null'), 'before');
  await setVersioning(s3, 'Enabled');
  assert.equal((await s3.getBucketVersioning({ Bucket })).Status, 'Enabled');
  assert.equal((await s3.headObject({ Bucket, Key: 'k' })).VersionId, 'null');

  const { VersionId: one = '' } = await s3.putObject({ Bucket, Key: 'k', Body: 'one' });
  const { VersionId: two = '' } = await s3.putObject({ Bucket, Key: 'k', Body: 'two' });
  // The hex digits of an id of the metadata module, as CloudServer shows it.
  assert.match(Buffer.from(one, 'hex').toString(), /^\d{20}RG001 {2}\d+$/);
  assert.equal(await read(s3, 'k'), 'two');
  assert.deepEqual(
    [await read(s3, 'k', one), await read(s3, 'k', two), await read(s3, 'k', 'null')],
    ['one', 'two', 'before'],
  );
  const got = await s3.getObject({ Bucket, Key: 'k', VersionId: one });
  assert.equal(got.VersionId, one);
  await got.Body?.transformToString();

  await t.test('tags', async () => {
    const Tagging = { TagSet: [{ Key: 'a', Value: 'b' }] };
    for (const VersionId of [one, 'null']) {
      await s3.putObjectTagging({ Bucket, Key: 'k', VersionId, Tagging });
      const tagged = await s3.getObjectTagging({ Bucket, Key: 'k', VersionId });
      assert.deepEqual([tagged.TagSet, tagged.VersionId], [Tagging.TagSet, VersionId]);
    }
    assert.deepEqual((await s3.getObjectTagging({ Bucket, Key: 'k' })).TagSet, []);
    await s3.deleteObjectTagging({ Bucket, Key: 'k', VersionId: one });
    assert.deepEqual((await s3.getObjectTagging({ Bucket, Key: 'k', VersionId: one })).TagSet, []);
    assert.equal(await read(s3, 'k'), 'two', 'the current version stays');
  });

  await t.test('copies', async () => {
    const copied = await s3.copyObject({ Bucket, Key: 'copy', CopySource: `${Bucket}/k?versionId=${one}` });
    assert.equal(copied.CopySourceVersionId, one);
    assert.equal(await read(s3, 'copy', copied.VersionId), 'one');
    // Back to an old version.
    await s3.copyObject({ Bucket, Key: 'k', CopySource: `${Bucket}/k?versionId=null` });
    assert.equal(await read(s3, 'k'), 'before');
    await assertData(stack);
  });

  await t.test('what is not there, and what is a delete marker', async () => {
    const none = '3'.repeat(40) + Buffer.from('RG001  9').toString('hex');
    await refused(s3.getObject({ Bucket, Key: 'k', VersionId: none }), 'NoSuchVersion', 404);
    await refused(s3.getObject({ Bucket, Key: 'none', VersionId: 'null' }), 'NoSuchVersion', 404);
    await refused(s3.getObject({ Bucket, Key: 'k', VersionId: 'nonsense' }), 'InvalidArgument', 400);
    const deleted = await s3.deleteObject({ Bucket, Key: 'k' });
    assert.equal(deleted.DeleteMarker, true);
    const answer = await sendSigned(url, {
      path: `/${Bucket}/k`,
      query: { versionId: deleted.VersionId ?? '' },
    });
    assert.deepEqual(
      [answer.status, answer.code, answer.headers['x-amz-delete-marker'], answer.headers.allow],
      [405, 'MethodNotAllowed', 'true', 'DELETE'],
    );
    const current = await sendSigned(url, { path: `/${Bucket}/k` });
    assert.deepEqual(
      [current.code, current.headers['x-amz-delete-marker'], current.headers['x-amz-version-id']],
      ['NoSuchKey', 'true', deleted.VersionId],
    );
    assert.equal(await read(s3, 'k', two), 'two');
    const CopySource = `${Bucket}/k?versionId=${deleted.VersionId ?? ''}`;
    await refused(s3.copyObject({ Bucket, Key: 'copy', CopySource }), 'InvalidRequest', 400);
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: 'copy' });
    const part = { Bucket, Key: 'copy', UploadId, PartNumber: 1, CopySource };
    await refused(s3.uploadPartCopy(part), 'InvalidRequest', 400);
    await s3.abortMultipartUpload({ Bucket, Key: 'copy', UploadId });
    // Without its marker the object is there again.
    const undone = await s3.deleteObject({ Bucket, Key: 'k', VersionId: deleted.VersionId });
    assert.deepEqual([undone.DeleteMarker, undone.VersionId], [true, deleted.VersionId]);
    assert.equal(await read(s3, 'k'), 'before');
  });

  await t.test('deletions, one by one and many at once', async () => {
    const refusal = s3.deleteObject({ Bucket, Key: 'k', VersionId: two, IfMatch: '"other"' });
    await refused(refusal, 'PreconditionFailed', 412);
    await s3.deleteObject({ Bucket, Key: 'k', VersionId: two });
    await s3.deleteObject({ Bucket, Key: 'k', VersionId: two });
    await refused(s3.getObject({ Bucket, Key: 'k', VersionId: two }), 'NoSuchVersion', 404);
    await assertData(stack);
    const all = await listAll(s3, 100);
    const Objects = all.map(({ key: Key, id: VersionId }) => ({ Key, VersionId }));
    const { Deleted = [], Errors = [] } = await s3.deleteObjects({
      Bucket,
      Delete: { Objects: [...Objects, { Key: 'k', VersionId: 'nonsense' }] },
    });
    assert.deepEqual(
      Deleted.map(({ Key, VersionId }) => ({ Key, VersionId })),
      Objects,
    );
    assert.deepEqual(
      Errors.map(({ Code }) => Code),
      ['InvalidArgument'],
    );
    assert.deepEqual(await listAll(s3, 100), []);
    await assertData(stack);
    await s3.deleteBucket({ Bucket });
  });
});

test('a bucket is emptied page by page, also where a page ends with the null version', async t => {
  const { s3 } = await startStack(t);
  await s3.createBucket({ Bucket });
  for (const status of ['Enabled', 'Suspended', 'Enabled'] as const) {
    await setVersioning(s3, status);
    for (const Key of ['a', 'b']) await s3.putObject({ Bucket, Key, Body: status });
  }
  for (const MaxKeys of [1, 2, 3]) assert.equal((await listAll(s3, MaxKeys)).length, 6);
  let marker: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } = {};
  for (let isTruncated = true; isTruncated;) {
    const page = await s3.listObjectVersions({ Bucket, MaxKeys: 2, ...marker });
    const Objects = (page.Versions ?? []).map(({ Key, VersionId }) => ({ Key, VersionId }));
    await s3.deleteObjects({ Bucket, Delete: { Objects } });
    isTruncated = page.IsTruncated === true;
    marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
  }
  assert.deepEqual(await listAll(s3, 100), []);
  await s3.deleteBucket({ Bucket });
});

test('random changes leave what a model of versions says, listed in pages of any size', async t => {
  const random = seededRandom(t);
  const stack = await startStack(t);
  const { s3 } = stack;
  await s3.createBucket({ Bucket });
  // The last two are in one order by their UTF-8, as S3 sorts, and in the other by UTF-16, as JavaScript does.
  const keys = ['a', 'a ', 'a/b', 'a/c', 'ab', 'ключ', '～', '😀'];
  /** By key, newest first. */
  const model = new Map<string, { id: string; body: string | undefined }[]>();
  let status: 'Enabled' | 'Suspended' | undefined;
  const put = (key: string, id: string, body: string | undefined): void => {
    const rest = (model.get(key) ?? []).filter(version => version.id !== 'null' || id !== 'null');
    model.set(key, [{ id, body }, ...rest]);
  };
  for (let step = 0; step < 220; step += 1) {
    const Key = keys[random.integer(0, keys.length - 1)] ?? '';
    const versions = model.get(Key) ?? [];
    const action = random.integer(0, 9);
    if (action < 4) {
      const { VersionId = 'null' } = await s3.putObject({ Bucket, Key, Body: `body ${step}` });
      put(Key, VersionId, `body ${step}`);
    } else if (action < 6) {
      const { VersionId } = await s3.deleteObject({ Bucket, Key });
      if (status === undefined) model.delete(Key);
      else put(Key, VersionId ?? '', undefined);
    } else if (action < 8 && versions.length > 0) {
      const { id } = versions[random.integer(0, versions.length - 1)] ?? { id: '' };
      await s3.deleteObject({ Bucket, Key, VersionId: id });
      model.set(
        Key,
        versions.filter(version => version.id !== id),
      );
    } else if (action === 8 && step > 15) {
      status = random.integer(0, 1) === 0 ? 'Enabled' : 'Suspended';
      await setVersioning(s3, status);
    } else {
      const { id, body } = versions[random.integer(0, Math.max(0, versions.length - 1))] ?? {};
      if (id !== undefined && body !== undefined) {
        const Tagging = { TagSet: [{ Key: 'step', Value: String(step) }] };
        await s3.putObjectTagging({ Bucket, Key, VersionId: id, Tagging });
      }
    }
    const current = model.get(Key)?.[0]?.body;
    if (current === undefined) await assert.rejects(read(s3, Key), { name: 'NoSuchKey' });
    else assert.equal(await read(s3, Key), current, `step ${step}`);
  }
  const expected = [...model]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .flatMap(([key, versions]) =>
      versions.map(({ id, body }, at) => ({ key, id, isMarker: body === undefined, isLatest: at === 0 })),
    );
  const order = (list: readonly Seen[]): string[] => list.map(each => JSON.stringify(each)).sort();
  assert.deepEqual(order(await listAll(s3, 1000)), order(expected));
  for (const size of [1, 2, 3, 7]) assert.deepEqual(order(await listAll(s3, size)), order(expected));
  const one = await listAll(s3, 1);
  assert.deepEqual(one, expected, 'in order');
  const under = await listAll(s3, 2, { Prefix: 'a/' });
  assert.deepEqual(order(under), order(expected.filter(({ key }) => key.startsWith('a/'))));
  const grouped = await s3.listObjectVersions({ Bucket, Delimiter: '/' });
  assert.deepEqual(
    grouped.CommonPrefixes?.map(({ Prefix }) => Prefix),
    expected.some(({ key }) => key.startsWith('a/')) ? ['a/'] : undefined,
  );
  for (const [Key, versions] of model) {
    for (const { id, body } of versions) {
      if (body !== undefined) assert.equal(await read(s3, Key, id), body);
    }
  }
  await assertData(stack);
});
