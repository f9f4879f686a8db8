/** What tools ask about a bucket and an object before they work with it, answered as S3 does for one without settings. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import test from 'node:test';
import { ACCOUNT } from '../account.js';
import { refused } from '../testing/expect-error.js';
import { send, sendSigned } from '../testing/raw-request.js';
import { startStack } from '../testing/s3-stack.js';

const Bucket = 'configuration';
const Key = 'k';

test('buckets and objects without settings', async t => {
  const stack = await startStack(t);
  const { s3, url, metadata } = stack;
  await s3.createBucket({ Bucket });
  await s3.putObject({ Bucket, Key, Body: 'body', ACL: 'bucket-owner-full-control' });

  await t.test('what is not configured has the error of S3', async () => {
    const at = { Bucket };
    await refused(s3.getBucketPolicy(at), 'NoSuchBucketPolicy', 404);
    await refused(s3.getBucketPolicyStatus(at), 'NoSuchBucketPolicy', 404);
    await refused(s3.getBucketCors(at), 'NoSuchCORSConfiguration', 404);
    await refused(s3.getBucketLifecycleConfiguration(at), 'NoSuchLifecycleConfiguration', 404);
    await refused(s3.getBucketTagging(at), 'NoSuchTagSet', 404);
    await refused(s3.getBucketEncryption(at), 'ServerSideEncryptionConfigurationNotFoundError', 404);
    await refused(s3.getObjectLockConfiguration(at), 'ObjectLockConfigurationNotFoundError', 404);
    await refused(s3.getBucketWebsite(at), 'NoSuchWebsiteConfiguration', 404);
    await refused(s3.getBucketReplication(at), 'ReplicationConfigurationNotFoundError', 404);
    await refused(s3.getPublicAccessBlock(at), 'NoSuchPublicAccessBlockConfiguration', 404);
    await refused(s3.getObjectLegalHold({ Bucket, Key }), 'InvalidRequest', 400);
    await refused(s3.getObjectRetention({ Bucket, Key }), 'InvalidRequest', 400);
    await refused(s3.getBucketPolicy({ Bucket: 'none' }), 'NoSuchBucket', 404);
    assert.equal((await s3.getBucketLogging(at)).LoggingEnabled, undefined);
    assert.equal((await s3.getBucketAccelerateConfiguration(at)).Status, undefined);
    assert.equal((await s3.getBucketNotificationConfiguration(at)).TopicConfigurations, undefined);
    assert.equal((await s3.getBucketRequestPayment(at)).Payer, 'BucketOwner');
    const { OwnershipControls } = await s3.getBucketOwnershipControls(at);
    assert.deepEqual(OwnershipControls?.Rules, [{ ObjectOwnership: 'BucketOwnerEnforced' }]);
  });

  await t.test('deleting what is not configured succeeds', async () => {
    for (const deletion of ['cors', 'encryption', 'lifecycle', 'policy', 'replication', 'website'] as const) {
      const answer = await sendSigned(url, {
        method: 'DELETE',
        path: `/${Bucket}`,
        query: { [deletion]: '' },
      });
      assert.equal(answer.status, 204, `${deletion}: ${answer.body}`);
    }
    await s3.deletePublicAccessBlock({ Bucket });
    await s3.deleteBucketTagging({ Bucket });
    await refused(s3.deleteBucketPolicy({ Bucket: 'none' }), 'NoSuchBucket', 404);
  });

  await t.test('a bucket is compared with whose the client takes it for', async () => {
    const own = ACCOUNT.accountId;
    const ask = (ExpectedBucketOwner: string) => s3.getBucketVersioning({ Bucket, ExpectedBucketOwner });
    await ask(own);
    await refused(ask('000000000000'), 'AccessDenied', 403);
    for (const odd of ['', '1', 'me', `${own}0`])
      await refused(ask(odd), 'InvalidBucketOwnerAWSAccountID', 400);
    const upload = await s3.createMultipartUpload({ Bucket, Key: 'copy' });
    const CopySource = `${Bucket}/${Key}`;
    for (const copy of [
      (more: object) => s3.copyObject({ Bucket, Key: 'copy', CopySource, ...more }),
      (more: object) => s3.copyObject({ Bucket, Key, CopySource, MetadataDirective: 'REPLACE', ...more }),
      (more: object) =>
        s3.uploadPartCopy({ ...upload, Bucket, Key: 'copy', PartNumber: 1, CopySource, ...more } as never),
    ]) {
      const from = (ExpectedSourceBucketOwner: string) => copy({ ExpectedSourceBucketOwner });
      await refused(from('000000000000'), 'AccessDenied', 403);
      await refused(from('me'), 'InvalidBucketOwnerAWSAccountID', 400);
      await from(own);
      // Each is about its own bucket.
      await refused(copy({ ExpectedBucketOwner: '000000000000' }), 'AccessDenied', 403);
    }
    await s3.abortMultipartUpload({ Bucket, Key: 'copy', UploadId: upload.UploadId });
    await s3.deleteObject({ Bucket, Key: 'copy' });
  });

  await t.test('what is not offered says so', async () => {
    const Policy = '{"Version":"2012-10-17","Statement":[]}';
    await refused(s3.putBucketPolicy({ Bucket, Policy }), 'NotImplemented', 501);
    await refused(s3.listBucketInventoryConfigurations({ Bucket }), 'NotImplemented', 501);
    await refused(s3.putObjectAcl({ Bucket, Key, ACL: 'public-read' }), 'NotImplemented', 501);
    for (const ACL of ['public', ''] as never[])
      await refused(s3.putObjectAcl({ Bucket, Key, ACL }), 'InvalidArgument', 400);
    await refused(s3.restoreObject({ Bucket, Key }), 'NotImplemented', 501);
  });

  await t.test('what CloudServer has configured is not said to be absent', async () => {
    const bucket = await metadata.getBucket(Bucket, 'test');
    assert.ok(bucket);
    await metadata.putBucket({ ...bucket, bucketPolicy: { Version: '2012-10-17', Statement: [] } }, 'test');
    await refused(s3.getBucketPolicy({ Bucket }), 'NotImplemented', 501);
    await refused(s3.deleteBucketPolicy({ Bucket }), 'NotImplemented', 501);
    await metadata.putBucket(bucket, 'test');
    await refused(s3.getBucketPolicy({ Bucket }), 'NoSuchBucketPolicy', 404);
  });

  await t.test('the access control list of the one owner', async () => {
    for (const acl of [await s3.getBucketAcl({ Bucket }), await s3.getObjectAcl({ Bucket, Key })]) {
      assert.equal(acl.Owner?.DisplayName, 'Bart');
      assert.deepEqual(acl.Grants, [
        { Grantee: { ...acl.Owner, Type: 'CanonicalUser' }, Permission: 'FULL_CONTROL' },
      ]);
    }
    await s3.putObjectAcl({ Bucket, Key, ACL: 'bucket-owner-full-control' });
    await s3.putBucketAcl({ Bucket, ACL: 'private' });
    await refused(s3.getObjectAcl({ Bucket, Key: 'none' }), 'NoSuchKey', 404);
  });

  await t.test('tags of a bucket', async () => {
    const TagSet = Array.from({ length: 50 }, (_, at) => ({ Key: `k${at}`, Value: `${at}` }));
    await s3.putBucketTagging({ Bucket, Tagging: { TagSet } });
    assert.deepEqual((await s3.getBucketTagging({ Bucket })).TagSet, TagSet);
    assert.deepEqual((await metadata.getBucket(Bucket, 'test'))?.tags, TagSet);
    const many = [...TagSet, { Key: 'one too many', Value: '' }];
    await refused(s3.putBucketTagging({ Bucket, Tagging: { TagSet: many } }), 'BadRequest', 400);
    await s3.deleteBucketTagging({ Bucket });
    await refused(s3.getBucketTagging({ Bucket }), 'NoSuchTagSet', 404);
  });

  await t.test('attributes of objects', async () => {
    const ObjectAttributes = ['ETag', 'Checksum', 'ObjectParts', 'StorageClass', 'ObjectSize'] as const;
    const ask = { Bucket, Key, ObjectAttributes: [...ObjectAttributes] };
    const plain = await s3.getObjectAttributes(ask);
    assert.equal(plain.ETag, createHash('md5').update('body').digest('hex'));
    assert.deepEqual([plain.ObjectSize, plain.StorageClass, plain.ObjectParts], [4, 'STANDARD', undefined]);
    assert.equal(plain.Checksum?.ChecksumType, 'FULL_OBJECT');
    assert.ok(plain.Checksum.ChecksumCRC32);
    const size = await s3.getObjectAttributes({ ...ask, ObjectAttributes: ['ObjectSize'] });
    assert.deepEqual([size.ObjectSize, size.ETag], [4, undefined]);
    await refused(s3.getObjectAttributes({ ...ask, Key: 'none' }), 'NoSuchKey', 404);
    for (const value of ['', 'Etag', 'ETag,Nonsense']) {
      const answer = await sendSigned(url, {
        path: `/${Bucket}/${Key}`,
        query: { attributes: '' },
        headers: { 'x-amz-object-attributes': value },
      });
      assert.equal(answer.code, 'InvalidArgument', value);
    }
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key: 'parts' });
    const bodies = [randomBytes(5 * 1024 * 1024), randomBytes(3)];
    const Parts = await Promise.all(
      bodies.map(async (Body, at) => {
        const part = { Bucket, Key: 'parts', UploadId, PartNumber: at + 1, Body };
        return { PartNumber: at + 1, ETag: (await s3.uploadPart(part)).ETag };
      }),
    );
    await s3.completeMultipartUpload({ Bucket, Key: 'parts', UploadId, MultipartUpload: { Parts } });
    const first = await s3.getObjectAttributes({ ...ask, Key: 'parts', MaxParts: 1 });
    assert.deepEqual(
      [first.ObjectParts?.TotalPartsCount, first.ObjectParts?.IsTruncated, first.ObjectParts?.Parts?.length],
      [2, true, 1],
    );
    const PartNumberMarker = first.ObjectParts?.NextPartNumberMarker;
    const { ObjectParts } = await s3.getObjectAttributes({ ...ask, Key: 'parts', PartNumberMarker });
    assert.deepEqual(ObjectParts?.Parts, [{ PartNumber: 2, Size: 3 }]);
  });

  await t.test('writes on conditions', async () => {
    const { ETag } = await s3.headObject({ Bucket, Key });
    const put = (more: object) => s3.putObject({ Bucket, Key, Body: 'other', ...more });
    await refused(put({ IfNoneMatch: '*' }), 'PreconditionFailed', 412);
    await refused(put({ IfMatch: '"wrong"' }), 'PreconditionFailed', 412);
    await refused(put({ Key: 'none', IfMatch: ETag }), 'NoSuchKey', 404);
    await refused(s3.deleteObject({ Bucket, Key, IfMatch: '"wrong"' }), 'PreconditionFailed', 412);
    const { Errors } = await s3.deleteObjects({
      Bucket,
      Delete: { Objects: [{ Key, ETag: '"wrong"' }] },
    });
    assert.deepEqual(
      Errors?.map(({ Code }) => Code),
      ['PreconditionFailed'],
    );
    const complete = async (more: object) => {
      const { UploadId } = await s3.createMultipartUpload({ Bucket, Key });
      const part = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber: 1, Body: 'parts' });
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part.ETag }] };
      const name = { Bucket, Key, UploadId };
      try {
        return await s3.completeMultipartUpload({ ...name, MultipartUpload, ...more });
      } catch (err) {
        // The upload stays, to be completed otherwise.
        await s3.abortMultipartUpload(name);
        throw err;
      }
    };
    await refused(complete({ IfNoneMatch: '*' }), 'PreconditionFailed', 412);
    await refused(complete({ IfMatch: '"wrong"' }), 'PreconditionFailed', 412);
    const { ETag: replaced } = await complete({ IfMatch: ETag });
    await put({ IfMatch: replaced });
    // Of many that want to be the first, one is.
    const first = await Promise.allSettled(
      Array.from({ length: 10 }, (_, at) => put({ Key: 'first', Body: `${at}`, IfNoneMatch: '*' })),
    );
    assert.equal(first.filter(({ status }) => status === 'fulfilled').length, 1);
    const { ETag: current } = await s3.headObject({ Bucket, Key });
    await s3.deleteObject({ Bucket, Key, IfMatch: current });
    await refused(s3.headObject({ Bucket, Key }), 'NotFound', 404);
  });

  await t.test('signatures of version 2 are refused with what to set', async () => {
    const presigned = `/${Bucket}/${Key}?AWSAccessKeyId=accessKey1&Signature=x&Expires=1`;
    for (const request of [
      { path: presigned },
      { path: `/${Bucket}`, headers: { authorization: 'AWS accessKey1:c2ln' } },
    ]) {
      const answer = await send(url, request);
      assert.deepEqual([answer.status, answer.code], [400, 'InvalidRequest']);
      assert.match(answer.body, /signature_version/);
    }
  });
});
