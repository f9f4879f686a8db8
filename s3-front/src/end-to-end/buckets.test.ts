/** Buckets through AWS's SDK, and buckets in states in which only a crash or CloudServer leaves them. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ACCOUNT } from '../account.js';
import {
  newBucket,
  USERS_BUCKET,
  usersBucketKey,
  usersBucketRange,
  withDeletedFlag,
} from '../bucket-attributes.js';
import { refused } from '../testing/expect-error.js';
import { sendSigned } from '../testing/raw-request.js';
import { startStack } from '../testing/s3-stack.js';

test('buckets', async t => {
  const { s3, metadata, url } = await startStack(t);
  const names = async (): Promise<(string | undefined)[]> =>
    (await s3.listBuckets({})).Buckets?.map(({ Name }) => Name) ?? [];

  await t.test('are made, found, listed and deleted', async () => {
    assert.deepEqual(await names(), []);
    assert.equal((await s3.createBucket({ Bucket: 'second.bucket' })).Location, '/second.bucket');
    await s3.createBucket({
      Bucket: 'first-bucket',
      CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' },
    });
    assert.deepEqual(await names(), ['first-bucket', 'second.bucket']);
    assert.equal((await s3.headBucket({ Bucket: 'first-bucket' })).BucketRegion, 'eu-west-1');
    assert.equal((await s3.getBucketLocation({ Bucket: 'first-bucket' })).LocationConstraint, 'eu-west-1');
    assert.equal((await s3.getBucketLocation({ Bucket: 'second.bucket' })).LocationConstraint, undefined);
    assert.equal((await s3.getBucketVersioning({ Bucket: 'second.bucket' })).Status, undefined);
    await s3.putObject({ Bucket: 'first-bucket', Key: 'k', Body: 'x' });
    const stored = await metadata.getObject('first-bucket', 'k', {}, 'test');
    assert.equal(stored?.dataStoreName, 'eu-west-1');
    await refused(s3.createBucket({ Bucket: 'first-bucket' }), 'BucketAlreadyOwnedByYou', 409);
    await refused(s3.deleteBucket({ Bucket: 'first-bucket' }), 'BucketNotEmpty', 409);
    await s3.deleteObject({ Bucket: 'first-bucket', Key: 'k' });
    await s3.deleteBucket({ Bucket: 'first-bucket' });
    await refused(s3.headBucket({ Bucket: 'first-bucket' }), 'NotFound', 404);
    await refused(s3.deleteBucket({ Bucket: 'first-bucket' }), 'NoSuchBucket', 404);
    assert.deepEqual(await names(), ['second.bucket']);
    await s3.createBucket({ Bucket: 'first-bucket' });
    await s3.deleteBucket({ Bucket: 'first-bucket' });
  });

  await t.test('are listed in pages', async () => {
    for (const Bucket of ['page-a', 'page-b', 'page-c']) await s3.createBucket({ Bucket });
    const listed: (string | undefined)[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await s3.listBuckets({ MaxBuckets: 2, Prefix: 'page-', ContinuationToken });
      listed.push(...(page.Buckets?.map(({ Name }) => Name) ?? []));
      ContinuationToken = page.ContinuationToken;
    } while (ContinuationToken !== undefined);
    assert.deepEqual(listed, ['page-a', 'page-b', 'page-c']);
    await refused(s3.listBuckets({ MaxBuckets: 0 }), 'InvalidArgument', 400);
    for (const Bucket of ['page-a', 'page-b', 'page-c']) await s3.deleteBucket({ Bucket });
  });

  await t.test('have names that S3 allows, none of the databases of CloudServer among them', async () => {
    for (const name of [
      'ab',
      'a'.repeat(64),
      'Upper',
      'under_score',
      'dot..dot',
      '-hyphen',
      'hyphen-',
      '.dot',
      '192.168.1.1',
      'xn--abc',
      'abc-s3alias',
      USERS_BUCKET,
      '__metastore',
      'mpuShadowBucketabc',
      'a b',
      '%00',
      '..',
    ]) {
      const answer = await sendSigned(url, { method: 'PUT', path: `/${name}` });
      assert.equal(answer.code, 'InvalidBucketName', name);
    }
    for (const name of [USERS_BUCKET, '__metastore', 'mpuShadowBucketabc']) {
      for (const path of [`/${name}`, `/${name}/key`]) {
        assert.equal((await sendSigned(url, { path })).code, 'InvalidBucketName', path);
      }
    }
  });

  await t.test('are not made from a configuration that is wrong', async () => {
    const make = (body: string, headers: Record<string, string> = {}) =>
      sendSigned(url, {
        method: 'PUT',
        path: '/never',
        headers: { 'content-length': String(body.length), ...headers },
        body,
      });
    const xml = (text: string): string => `<CreateBucketConfiguration>${text}</CreateBucketConfiguration>`;
    for (const [body, code] of [
      [xml('<LocationConstraint>the-moon</LocationConstraint>'), 'InvalidLocationConstraint'],
      [xml('<LocationConstraint><x/></LocationConstraint>'), 'MalformedXML'],
      [xml('<Tags><Tag/></Tags>'), 'NotImplemented'],
      ['<Wrong/>', 'MalformedXML'],
      ['not XML', 'MalformedXML'],
      [xml('') + xml(''), 'MalformedXML'],
      [xml(' '.repeat(70_000)), 'MaxMessageLengthExceeded'],
    ] as const) {
      assert.equal((await make(body)).code, code, body.slice(0, 60));
    }
    for (const [headers, code] of [
      [{ 'x-amz-acl': 'public-read' }, 'NotImplemented'],
      [{ 'x-amz-bucket-object-lock-enabled': 'true' }, 'NotImplemented'],
      [{ 'x-amz-grant-read': 'id=x' }, 'NotImplemented'],
      [{ 'x-amz-object-ownership': 'ObjectWriter' }, 'NotImplemented'],
    ] as const) {
      assert.equal((await make('', headers)).code, code);
    }
    assert.equal((await make(xml('<LocationConstraint/>'))).status, 200);
    await s3.deleteBucket({ Bucket: 'never' });
  });

  await t.test('that a creation left half-made are not there, and can be made', async () => {
    await metadata.putBucket(newBucket('half-made', 'us-east-1', ACCOUNT), 'test');
    await refused(s3.headBucket({ Bucket: 'half-made' }), 'NotFound', 404);
    await refused(s3.putObject({ Bucket: 'half-made', Key: 'k', Body: 'x' }), 'NoSuchBucket', 404);
    await s3.createBucket({ Bucket: 'half-made' });
    assert.ok((await names()).includes('half-made'));
    await s3.deleteBucket({ Bucket: 'half-made' });
  });

  await t.test('that a deletion left half-done are not there, and can be made again', async () => {
    await s3.createBucket({ Bucket: 'half-gone' });
    const bucket = await metadata.getBucket('half-gone', 'test');
    assert.ok(bucket);
    await metadata.putBucket(withDeletedFlag(bucket), 'test');
    await refused(s3.headBucket({ Bucket: 'half-gone' }), 'NotFound', 404);
    await s3.createBucket({ Bucket: 'half-gone' });
    assert.notEqual((await metadata.getBucket('half-gone', 'test'))?.uid, bucket.uid);
    await s3.deleteBucket({ Bucket: 'half-gone' });
  });

  await t.test('of somebody else are refused', async () => {
    const other = { ...ACCOUNT, canonicalId: 'f'.repeat(64) };
    await metadata.putBucket({ ...newBucket('of-others', 'us-east-1', other), transient: false }, 'test');
    await refused(s3.createBucket({ Bucket: 'of-others' }), 'BucketAlreadyExists', 409);
    await refused(s3.listObjectsV2({ Bucket: 'of-others' }), 'AccessDenied', 403);
    await refused(s3.deleteBucket({ Bucket: 'of-others' }), 'AccessDenied', 403);
    const expected = { Bucket: 'second.bucket', ExpectedBucketOwner: '000000000000' };
    await refused(s3.listObjectsV2(expected), 'AccessDenied', 403);
    await s3.listObjectsV2({ ...expected, ExpectedBucketOwner: ACCOUNT.accountId });
  });

  await t.test('with features that the front does not have are not written to', async () => {
    await s3.createBucket({ Bucket: 'locked' });
    const bucket = await metadata.getBucket('locked', 'test');
    assert.ok(bucket);
    for (const feature of [{ objectLockEnabled: true }, { serverSideEncryption: { algorithm: 'AES256' } }]) {
      await metadata.putBucket({ ...bucket, ...feature }, 'test');
      await refused(s3.putObject({ Bucket: 'locked', Key: 'k', Body: 'x' }), 'NotImplemented', 501);
      await refused(s3.deleteObject({ Bucket: 'locked', Key: 'k' }), 'NotImplemented', 501);
    }
  });

  await t.test('are not deleted while they hold versions or unfinished uploads', async () => {
    await s3.createBucket({ Bucket: 'holds' });
    await s3.putObject({ Bucket: 'holds', Key: 'template', Body: '' });
    const value = await metadata.getObject('holds', 'template', {}, 'test');
    assert.ok(value);
    await metadata.putObject('holds', 'k', value, { versioning: true }, 'test');
    await s3.deleteObject({ Bucket: 'holds', Key: 'template' });
    await metadata.deleteObject('holds', 'k', {}, 'test');
    assert.equal((await s3.listObjectsV2({ Bucket: 'holds' })).KeyCount, 0);
    await refused(s3.deleteBucket({ Bucket: 'holds' }), 'BucketNotEmpty', 409);

    await s3.createBucket({ Bucket: 'uploading' });
    const shadow = newBucket('mpuShadowBucketuploading', 'us-east-1', ACCOUNT);
    await metadata.putBucket({ ...shadow, transient: false }, 'test');
    await metadata.putObject(shadow.name, 'overview..|..k..|..id', value, {}, 'test');
    await refused(s3.deleteBucket({ Bucket: 'uploading' }), 'BucketNotEmpty', 409);
    await metadata.deleteObject(shadow.name, 'overview..|..k..|..id', {}, 'test');
    await s3.deleteBucket({ Bucket: 'uploading' });
    assert.equal(await metadata.getBucket(shadow.name, 'test'), undefined);
    const entries = [];
    for await (const { key } of metadata.read(USERS_BUCKET, usersBucketRange(ACCOUNT), 'test'))
      entries.push(key);
    assert.ok(!entries.includes(usersBucketKey(ACCOUNT, 'uploading')));
  });
});
