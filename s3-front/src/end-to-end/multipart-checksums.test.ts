/** Checksums of multipart uploads: of their parts, and of the objects that they become. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { CompletedPart } from '@aws-sdk/client-s3';
import { refused } from '../testing/expect-error.js';
import {
  assertClean,
  BIG,
  Bucket,
  MIN,
  read,
  sendParts,
  SMALL,
  startWithBucket,
} from '../testing/multipart-uploads.js';

test('checksums of multipart uploads', async t => {
  const stack = await startWithBucket(t);
  const { s3 } = stack;

  await t.test('checksums of parts and of the object, of every kind', async () => {
    for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256', 'CRC64NVME'] as const) {
      const { UploadId, Parts } = await sendParts(s3, 'sum', [BIG, SMALL], { ChecksumAlgorithm });
      const name = `Checksum${ChecksumAlgorithm}` as const;
      const wrong = Parts.map((part, at) => ({ ...part, [name]: Parts[1 - at]?.[name] }));
      const complete = { Bucket, Key: 'sum', UploadId };
      const mixed = s3.completeMultipartUpload({ ...complete, MultipartUpload: { Parts: wrong } });
      await refused(mixed, 'InvalidPart', 400);
      const isFull = ChecksumAlgorithm === 'CRC64NVME';
      if (!isFull) {
        const bare = Parts.map((part, at) => (at === 0 ? part : { ...part, [name]: undefined }));
        const without = s3.completeMultipartUpload({ ...complete, MultipartUpload: { Parts: bare } });
        await refused(without, 'InvalidRequest', 400);
      }
      const done = await s3.completeMultipartUpload({ ...complete, MultipartUpload: { Parts } });
      assert.equal(done.ChecksumType, isFull ? 'FULL_OBJECT' : 'COMPOSITE');
      assert.equal(done[name]?.endsWith('-2'), !isFull);
      const head = await s3.headObject({ Bucket, Key: 'sum', ChecksumMode: 'ENABLED' });
      assert.equal(head[name], done[name]);
      assert.ok((await read(s3, 'sum')).equals(Buffer.concat([BIG, SMALL])), 'the SDK compares it too');
      await s3.copyObject({ Bucket, Key: 'copy', CopySource: `${Bucket}/sum` });
      for (const Key of ['sum', 'copy']) {
        const ObjectAttributes = ['ObjectParts', 'Checksum'] as const;
        const told = await s3.getObjectAttributes({ Bucket, Key, ObjectAttributes: [...ObjectAttributes] });
        assert.equal(told.Checksum?.[name], done[name]);
        assert.deepEqual(
          told.ObjectParts?.Parts?.map(part => [part.PartNumber, part.Size, part[name]]),
          Parts.map((part, at) => [part.PartNumber, at === 0 ? MIN : SMALL.length, part[name]]),
        );
      }
      await s3.deleteObject({ Bucket, Key: 'copy' });
    }
    const { UploadId } = await s3.createMultipartUpload({
      Bucket,
      Key: 'sum',
      ChecksumAlgorithm: 'CRC32',
      ChecksumType: 'FULL_OBJECT',
    });
    const Parts: CompletedPart[] = [];
    for (const [at, Body] of [BIG, SMALL].entries()) {
      const PartNumber = at + 1;
      const { ETag } = await s3.uploadPart({ Bucket, Key: 'sum', UploadId, PartNumber, Body });
      Parts.push({ PartNumber, ETag });
    }
    const complete = { Bucket, Key: 'sum', UploadId, MultipartUpload: { Parts } };
    await refused(s3.completeMultipartUpload({ ...complete, ChecksumCRC32: 'AAAAAA==' }), 'BadDigest', 400);
    await refused(s3.completeMultipartUpload({ ...complete, MpuObjectSize: 1 }), 'InvalidRequest', 400);
    const done = await s3.completeMultipartUpload(complete);
    assert.equal(done.ChecksumType, 'FULL_OBJECT');
    assert.ok((await read(s3, 'sum')).equals(Buffer.concat([BIG, SMALL])));
    const other = await s3.createMultipartUpload({ Bucket, Key: 'sum', ChecksumAlgorithm: 'SHA256' });
    const part = { Bucket, Key: 'sum', UploadId: other.UploadId, PartNumber: 1, Body: SMALL };
    await refused(s3.uploadPart({ ...part, ChecksumAlgorithm: 'CRC32' }), 'InvalidRequest', 400);
    await s3.abortMultipartUpload({ Bucket, Key: 'sum', UploadId: other.UploadId });
    for (const more of [
      { ChecksumAlgorithm: 'SHA1', ChecksumType: 'FULL_OBJECT' },
      { ChecksumAlgorithm: 'CRC64NVME', ChecksumType: 'COMPOSITE' },
    ] as const) {
      await refused(s3.createMultipartUpload({ Bucket, Key: 'sum', ...more }), 'InvalidRequest', 400);
    }
    await assertClean(stack);
    await s3.deleteObject({ Bucket, Key: 'sum' });
  });
});
