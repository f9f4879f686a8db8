/** Multipart uploads as clients make them: what comes out is what went in, and nothing else stays. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
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
import { RECORDED_UPLOAD } from '../testing/recorded-values.js';
import { storedBlobs } from '../testing/stored-blobs.js';

test('multipart uploads', async t => {
  const stack = await startWithBucket(t);
  const { s3, metadata, folder, url } = stack;

  await t.test('parts become one object, read whole, in ranges and by part', async () => {
    const { UploadId, Parts } = await sendParts(s3, 'k', [BIG, BIG, SMALL]);
    const done = await s3.completeMultipartUpload({
      Bucket,
      Key: 'k',
      UploadId,
      MultipartUpload: { Parts },
    });
    const md5s = [BIG, BIG, SMALL].map(body => createHash('md5').update(body).digest());
    const etag = `"${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-3"`;
    assert.equal(done.ETag, etag);
    assert.equal(done.Location, `${url}/${Bucket}/k`);
    const whole = Buffer.concat([BIG, BIG, SMALL]);
    assert.ok((await read(s3, 'k')).equals(whole));
    const across = await read(s3, 'k', { Range: `bytes=${MIN - 10}-${MIN * 2 + 3}` });
    assert.ok(across.equals(whole.subarray(MIN - 10, MIN * 2 + 4)));
    for (const [PartNumber, body] of [
      [1, BIG],
      [3, SMALL],
    ] as const) {
      const part = await s3.getObject({ Bucket, Key: 'k', PartNumber });
      assert.equal(part.PartsCount, 3);
      assert.ok(Buffer.from((await part.Body?.transformToByteArray()) ?? []).equals(body));
      assert.equal((await s3.headObject({ Bucket, Key: 'k', PartNumber })).ContentLength, body.length);
    }
    await refused(s3.getObject({ Bucket, Key: 'k', PartNumber: 4 }), 'InvalidPartNumber', 416);
    await refused(
      s3.getObject({ Bucket, Key: 'k', PartNumber: 1, Range: 'bytes=0-1' }),
      'InvalidRequest',
      400,
    );
    await assertClean(stack);
    // A client that heard no answer asks again.
    const again = { Bucket, Key: 'k', UploadId, MultipartUpload: { Parts } };
    assert.equal((await s3.completeMultipartUpload(again)).ETag, etag);
    const other = { ...again, MultipartUpload: { Parts: Parts.slice(0, 2) } };
    await refused(s3.completeMultipartUpload(other), 'NoSuchUpload', 404);
    await s3.deleteObject({ Bucket, Key: 'k' });
    await assertClean(stack);
  });

  await t.test('headers, tags and metadata given at the beginning are those of the object', async () => {
    await s3.putObject({ Bucket, Key: 'k', Body: 'before' });
    const { UploadId } = await s3.createMultipartUpload({
      Bucket,
      Key: 'k',
      ContentType: 'text/x',
      ContentLanguage: 'de',
      CacheControl: 'no-store',
      Metadata: { a: 'b' },
      Tagging: 'x=y',
    });
    assert.equal((await read(s3, 'k')).toString(), 'before');
    const { ETag } = await s3.uploadPart({ Bucket, Key: 'k', UploadId, PartNumber: 7, Body: SMALL });
    const Parts = [{ PartNumber: 7, ETag }];
    await s3.completeMultipartUpload({ Bucket, Key: 'k', UploadId, MultipartUpload: { Parts } });
    const head = await s3.headObject({ Bucket, Key: 'k' });
    assert.deepEqual(
      [head.ContentType, head.ContentLanguage, head.CacheControl, head.Metadata, head.ContentLength],
      ['text/x', 'de', 'no-store', { a: 'b' }, SMALL.length],
    );
    assert.deepEqual((await s3.getObjectTagging({ Bucket, Key: 'k' })).TagSet, [{ Key: 'x', Value: 'y' }]);
    await assertClean(stack);
    await s3.deleteObject({ Bucket, Key: 'k' });
  });

  await t.test('parts are copied from objects and ranges of them', async () => {
    await s3.putObject({ Bucket, Key: 'source', Body: Buffer.concat([SMALL, BIG]) });
    const { UploadId = '' } = await s3.createMultipartUpload({ Bucket, Key: 'copied' });
    const copy = { Bucket, Key: 'copied', UploadId, CopySource: `${Bucket}/source` };
    const first = await s3.uploadPartCopy({
      ...copy,
      PartNumber: 1,
      CopySourceRange: `bytes=${SMALL.length}-${SMALL.length + MIN - 1}`,
    });
    const second = await s3.uploadPartCopy({ ...copy, PartNumber: 2 });
    for (const [CopySourceRange, code, status] of [
      ['bytes=0-99999999', 'InvalidRange', 416],
      ['bytes=5-', 'InvalidArgument', 400],
      ['bytes=5-4', 'InvalidArgument', 400],
    ] as const) {
      await refused(s3.uploadPartCopy({ ...copy, PartNumber: 1, CopySourceRange }), code, status);
    }
    await refused(
      s3.uploadPartCopy({ ...copy, PartNumber: 3, CopySource: `${Bucket}/none` }),
      'NoSuchKey',
      404,
    );
    const Parts = [
      { PartNumber: 1, ETag: first.CopyPartResult?.ETag },
      { PartNumber: 2, ETag: second.CopyPartResult?.ETag },
    ];
    await s3.completeMultipartUpload({ ...copy, MultipartUpload: { Parts } });
    assert.ok((await read(s3, 'copied')).equals(Buffer.concat([BIG, SMALL, BIG])));
    // Onto itself, and as a source of a plain copy.
    await s3.copyObject({ Bucket, Key: 'copied again', CopySource: `${Bucket}/copied` });
    assert.ok((await read(s3, 'copied again')).equals(Buffer.concat([BIG, SMALL, BIG])));
    await assertClean(stack);
    for (const Key of ['source', 'copied', 'copied again']) await s3.deleteObject({ Bucket, Key });
  });

  await t.test('a part that is sent again replaces the one before, and parts left out go', async () => {
    const { UploadId, Parts } = await sendParts(s3, 'k', [BIG, BIG, SMALL]);
    const again = { Bucket, Key: 'k', UploadId, PartNumber: 2, Body: 'again' };
    const { ETag } = await s3.uploadPart(again);
    assert.equal((await storedBlobs(folder)).length, 3);
    const stale = s3.completeMultipartUpload({ Bucket, Key: 'k', UploadId, MultipartUpload: { Parts } });
    await refused(stale, 'InvalidPart', 400);
    const chosen = [Parts[0] ?? {}, { PartNumber: 2, ETag }];
    await s3.completeMultipartUpload({ Bucket, Key: 'k', UploadId, MultipartUpload: { Parts: chosen } });
    assert.ok((await read(s3, 'k')).equals(Buffer.concat([BIG, Buffer.from('again')])));
    await assertClean(stack);
    await s3.deleteObject({ Bucket, Key: 'k' });
  });

  await t.test('an empty last part is counted, and what is empty as a whole is its first part', async () => {
    const upload = async (Key: string, bodies: readonly Buffer[]) => {
      const { UploadId, Parts } = await sendParts(s3, Key, bodies);
      await s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts } });
    };
    const empty = Buffer.alloc(0);
    await upload('tail', [BIG, empty]);
    assert.equal((await s3.headObject({ Bucket, Key: 'tail', PartNumber: 1 })).PartsCount, 2);
    const ObjectAttributes = ['ObjectParts' as const];
    const { ObjectParts } = await s3.getObjectAttributes({ Bucket, Key: 'tail', ObjectAttributes });
    assert.equal(ObjectParts?.TotalPartsCount, 2);
    await refused(s3.getObject({ Bucket, Key: 'tail', PartNumber: 3 }), 'InvalidPartNumber', 416);
    // Clients that download by part ask for the first one to learn how many there are.
    await upload('empty', [empty]);
    const first = await s3.getObject({ Bucket, Key: 'empty', PartNumber: 1 });
    assert.deepEqual([first.ContentLength, first.PartsCount], [0, 1]);
    await refused(s3.getObject({ Bucket, Key: 'empty', PartNumber: 2 }), 'InvalidPartNumber', 416);
    for (const Key of ['tail', 'empty']) await s3.deleteObject({ Bucket, Key });
    await assertClean(stack);
  });

  await t.test('an aborted upload leaves nothing, and is none any more', async () => {
    const { UploadId, Parts } = await sendParts(s3, 'k', [SMALL, SMALL]);
    const name = { Bucket, Key: 'k', UploadId };
    await refused(s3.deleteBucket({ Bucket }), 'BucketNotEmpty', 409);
    await s3.abortMultipartUpload(name);
    await assertClean(stack);
    await refused(s3.abortMultipartUpload(name), 'NoSuchUpload', 404);
    await refused(s3.listParts(name), 'NoSuchUpload', 404);
    await refused(s3.uploadPart({ ...name, PartNumber: 1, Body: 'x' }), 'NoSuchUpload', 404);
    await refused(s3.completeMultipartUpload({ ...name, MultipartUpload: { Parts } }), 'NoSuchUpload', 404);
    await assertClean(stack);
  });

  await t.test('an upload is stored as CloudServer stores it, member for member', async () => {
    const { UploadId = '' } = await s3.createMultipartUpload({ Bucket, Key: 'mpu' });
    await s3.uploadPart({ Bucket, Key: 'mpu', UploadId, PartNumber: 1, Body: SMALL });
    const texts: string[] = [];
    for await (const { key, value } of metadata.read(`mpuShadowBucket${Bucket}`, {}, 'test')) {
      texts.push(`${key} ${value}`.replaceAll(UploadId, '<id>').replaceAll(Bucket, 'alpha'));
    }
    const form = (text: string): string =>
      text
        .replace(/,"checksum(Algorithm|Type)":"\w+"/g, '')
        .replace(/,"checksum":\{[^}]*\}/, '')
        .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<date>')
        .replaceAll(/"[0-9a-f]{32}"|"[0-9a-f]{40}"/g, '"<hex>"')
        .replace(/"content-length":\d+/, '"content-length":0');
    assert.deepEqual(texts.map(form), RECORDED_UPLOAD.map(form));
    await s3.abortMultipartUpload({ Bucket, Key: 'mpu', UploadId });
  });
});
