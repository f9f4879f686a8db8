/** Multipart uploads at their limits: what is malformed, what is very large, and what happens at once. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { readPartKey } from '../multipart/upload-values.js';
import { refused } from '../testing/expect-error.js';
import {
  assertClean,
  BIG,
  Bucket,
  MIN,
  read,
  sendParts,
  shadowEntries,
  SMALL,
  startWithBucket,
} from '../testing/multipart-uploads.js';
import { sendSigned } from '../testing/raw-request.js';

test('multipart uploads at their limits', async t => {
  const stack = await startWithBucket(t);
  const { s3, metadata, url } = stack;

  await t.test('what is wrong is refused by name, and the upload stays', async () => {
    const { UploadId, Parts } = await sendParts(s3, 'k', [SMALL, SMALL]);
    const complete = (body: string) =>
      sendSigned(url, {
        method: 'POST',
        path: `/${Bucket}/k`,
        query: { uploadId: UploadId },
        headers: { 'content-length': String(Buffer.byteLength(body)) },
        body,
      });
    const part = (number: number | string, etag = Parts[0]?.ETag ?? '') =>
      `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`;
    const parts = (...list: string[]) =>
      `<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`;
    const many = Array.from({ length: 10_001 }, (_, at) => part(at + 1));
    for (const [body, code] of [
      [parts(), 'MalformedXML'],
      ['', 'MalformedXML'],
      [parts('<Part/>'), 'MalformedXML'],
      [parts(part('x')), 'MalformedXML'],
      [parts(part(-1)), 'MalformedXML'],
      [parts(part(0)), 'InvalidPartOrder'],
      [parts(part(2), part(1)), 'InvalidPartOrder'],
      [parts(part(1), part(1)), 'InvalidPartOrder'],
      [parts(part(1), part(2)), 'EntityTooSmall'],
      [parts(part(3)), 'InvalidPart'],
      [parts(part(1, '"00000000000000000000000000000000"')), 'InvalidPart'],
      [parts(part(1), part(10_001)), 'InvalidPart'],
      [parts(...many), 'MalformedXML'],
      [parts(...many.slice(1)), 'InvalidPart'],
      ['x'.repeat(5_000_000), 'MaxMessageLengthExceeded'],
    ] as const) {
      const answer = await complete(body);
      assert.equal(answer.code, code, body.slice(0, 100));
    }
    for (const [query, code] of [
      [{ partNumber: '0' }, 'InvalidArgument'],
      [{ partNumber: '10001' }, 'InvalidArgument'],
      [{ partNumber: '-1' }, 'InvalidArgument'],
      [{ partNumber: '1e3' }, 'InvalidArgument'],
      [{ partNumber: '' }, 'InvalidArgument'],
      [{ partNumber: '1', uploadId: '0'.repeat(32) }, 'NoSuchUpload'],
      [{ partNumber: '1', uploadId: '..|..' }, 'NoSuchUpload'],
    ] as const) {
      const answer = await sendSigned(url, {
        method: 'PUT',
        path: `/${Bucket}/k`,
        query: { uploadId: UploadId, ...query },
        headers: { 'content-length': '1' },
        body: 'x',
      });
      assert.equal(answer.code, code, JSON.stringify(query));
    }
    const elsewhere = { Bucket, Key: 'other', UploadId, PartNumber: 1, Body: 'x' };
    await refused(s3.uploadPart(elsewhere), 'NoSuchUpload', 404);
    assert.equal((await s3.listParts({ Bucket, Key: 'k', UploadId })).Parts?.length, 2);
    assert.equal((await complete(parts(part(2)))).status, 200);
    await assertClean(stack);
    await s3.deleteObject({ Bucket, Key: 'k' });
  });

  await t.test('an object of ten thousand parts', async () => {
    const { UploadId = '' } = await s3.createMultipartUpload({ Bucket, Key: 'many' });
    const number = 10_000;
    const { ETag } = await s3.uploadPart({ Bucket, Key: 'many', UploadId, PartNumber: number, Body: 'x' });
    const shadow = `mpuShadowBucket${Bucket}`;
    const key = (await shadowEntries(stack)).find(entry => readPartKey(entry)?.number === number) ?? '';
    const last = (await metadata.getEntry(shadow, key, 'test')) as object;
    // All but the last as CloudServer would have stored them, without the bytes, which nobody reads here.
    const etag = `"${'0'.repeat(32)}"`;
    const numbers = Array.from({ length: number - 1 }, (_, at) => at + 1);
    for (let at = 0; at < numbers.length; at += 500) {
      await Promise.all(
        numbers.slice(at, at + 500).map(each => {
          const entry = key.replace(/\d{5}$/, String(each).padStart(5, '0'));
          const dataKey = String(each).padStart(40, '0');
          const more = {
            key: entry,
            'content-md5': '0'.repeat(32),
            'content-length': MIN,
            partLocations: [{ key: dataKey, dataStoreName: 'file' }],
          };
          return metadata.putEntry(shadow, entry, { ...last, ...more }, { isPart: true }, 'test');
        }),
      );
    }
    const Parts = [...numbers.map(PartNumber => ({ PartNumber, ETag: etag })), { PartNumber: number, ETag }];
    const done = await s3.completeMultipartUpload({
      Bucket,
      Key: 'many',
      UploadId,
      MultipartUpload: { Parts },
    });
    assert.match(done.ETag ?? '', /-10000"$/);
    const head = await s3.headObject({ Bucket, Key: 'many', PartNumber: number });
    assert.equal(head.PartsCount, number);
    assert.equal((await read(s3, 'many', { PartNumber: number })).toString(), 'x');
    assert.deepEqual(await shadowEntries(stack), []);
    await s3.deleteObject({ Bucket, Key: 'many' });
    await assertClean(stack);
  });

  await t.test('completes and aborts at once: one of them wins, and nothing is lost or left', async () => {
    for (let round = 0; round < 8; round += 1) {
      const { UploadId, Parts } = await sendParts(s3, 'race', [BIG, SMALL]);
      const name = { Bucket, Key: 'race', UploadId };
      const complete = () => s3.completeMultipartUpload({ ...name, MultipartUpload: { Parts } });
      const abort = () => s3.abortMultipartUpload(name);
      const calls = round % 2 === 0 ? [complete, complete] : [complete, abort, complete];
      const results = await Promise.allSettled(calls.map(call => call()));
      const failed = results.flatMap(result =>
        result.status === 'rejected' ? [result.reason as Error] : [],
      );
      for (const err of failed) assert.equal(err.name, 'NoSuchUpload');
      if (round % 2 === 0) assert.equal(failed.length, 0, 'both are told of the one object');
      const isThere = await s3.headObject({ Bucket, Key: 'race' }).then(
        () => true,
        () => false,
      );
      if (isThere) assert.ok((await read(s3, 'race')).equals(Buffer.concat([BIG, SMALL])));
      await assertClean(stack);
      await s3.deleteObject({ Bucket, Key: 'race' });
    }
    assert.doesNotMatch(stack.front.output(), /"level":(50|60)/, 'nothing was unexpected');
  });
});
