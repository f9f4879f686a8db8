/** Multipart uploads as clients make them: what comes out is what went in, and nothing else stays. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import type { CompletedPart, S3, UploadPartCommandInput } from '@aws-sdk/client-s3';
import { readPartKey } from '../multipart/upload-values.js';
import { refused } from '../testing/expect-error.js';
import { sendSigned } from '../testing/raw-request.js';
import { RECORDED_UPLOAD } from '../testing/recorded-values.js';
import { type S3Stack, startStack } from '../testing/s3-stack.js';
import { storedBlobs } from '../testing/stored-blobs.js';

const Bucket = 'multipart';
const MIN = 5 * 1024 * 1024;
const BIG = randomBytes(MIN);
const SMALL = Buffer.from('the last part');

async function read(s3: S3, Key: string, more: object = {}): Promise<Buffer> {
  const { Body } = await s3.getObject({ Bucket, Key, ...more });
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

/** Begins an upload and sends its parts, numbered from 1. */
async function sendParts(
  s3: S3,
  Key: string,
  bodies: readonly Buffer[],
  more: Partial<UploadPartCommandInput> = {},
): Promise<{ UploadId: string; Parts: CompletedPart[] }> {
  const { ChecksumAlgorithm } = more;
  const { UploadId = '' } = await s3.createMultipartUpload({
    Bucket,
    Key,
    ...(ChecksumAlgorithm && { ChecksumAlgorithm }),
  });
  const Parts = await Promise.all(
    bodies.map(async (Body, index) => {
      const PartNumber = index + 1;
      const sent = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber, Body, ...more });
      const { ETag, ChecksumCRC32, ChecksumCRC32C, ChecksumSHA1, ChecksumSHA256, ChecksumCRC64NVME } = sent;
      return {
        PartNumber,
        ETag,
        ChecksumCRC32,
        ChecksumCRC32C,
        ChecksumSHA1,
        ChecksumSHA256,
        ChecksumCRC64NVME,
      };
    }),
  );
  return { UploadId, Parts };
}

async function shadowEntries({ metadata }: S3Stack): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of metadata.read(`mpuShadowBucket${Bucket}`, {}, 'test')) keys.push(key);
  return keys;
}

async function startWithBucket(t: TestContext, env: Readonly<Record<string, string>> = {}): Promise<S3Stack> {
  const stack = await startStack(t, env);
  await stack.s3.createBucket({ Bucket });
  return stack;
}

test('multipart uploads', async t => {
  const stack = await startWithBucket(t);
  const { s3, metadata, folder, url } = stack;
  /** Nothing is left but the objects. */
  const assertClean = async (): Promise<void> => {
    assert.deepEqual(await shadowEntries(stack), []);
    const named = new Set<string>();
    for await (const { value } of metadata.read(Bucket, {}, 'test')) {
      const { location } = JSON.parse(value) as { location: { key: string }[] | null };
      for (const { key } of location ?? []) named.add(key);
    }
    assert.deepEqual(new Set(await storedBlobs(folder)), named);
  };

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
    await assertClean();
    // A client that heard no answer asks again.
    const again = { Bucket, Key: 'k', UploadId, MultipartUpload: { Parts } };
    assert.equal((await s3.completeMultipartUpload(again)).ETag, etag);
    const other = { ...again, MultipartUpload: { Parts: Parts.slice(0, 2) } };
    await refused(s3.completeMultipartUpload(other), 'NoSuchUpload', 404);
    await s3.deleteObject({ Bucket, Key: 'k' });
    await assertClean();
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
    await assertClean();
    await s3.deleteObject({ Bucket, Key: 'k' });
  });

  await t.test('checksums of parts and of the object, of every kind', async () => {
    for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'SHA1', 'SHA256', 'CRC64NVME'] as const) {
      const { UploadId, Parts } = await sendParts(s3, 'sum', [BIG, SMALL], { ChecksumAlgorithm });
      const name = `Checksum${ChecksumAlgorithm}` as const;
      const wrong = Parts.map((part, at) => ({ ...part, [name]: Parts[1 - at]?.[name] }));
      const complete = { Bucket, Key: 'sum', UploadId };
      const mixed = s3.completeMultipartUpload({ ...complete, MultipartUpload: { Parts: wrong } });
      await refused(mixed, 'InvalidPart', 400);
      const done = await s3.completeMultipartUpload({ ...complete, MultipartUpload: { Parts } });
      const isFull = ChecksumAlgorithm === 'CRC64NVME';
      assert.equal(done.ChecksumType, isFull ? 'FULL_OBJECT' : 'COMPOSITE');
      assert.equal(done[name]?.endsWith('-2'), !isFull);
      const head = await s3.headObject({ Bucket, Key: 'sum', ChecksumMode: 'ENABLED' });
      assert.equal(head[name], done[name]);
      assert.ok((await read(s3, 'sum')).equals(Buffer.concat([BIG, SMALL])), 'the SDK compares it too');
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
    await assertClean();
    await s3.deleteObject({ Bucket, Key: 'sum' });
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
    await assertClean();
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
    await assertClean();
    await s3.deleteObject({ Bucket, Key: 'k' });
  });

  await t.test('an aborted upload leaves nothing, and is none any more', async () => {
    const { UploadId, Parts } = await sendParts(s3, 'k', [SMALL, SMALL]);
    const name = { Bucket, Key: 'k', UploadId };
    await refused(s3.deleteBucket({ Bucket }), 'BucketNotEmpty', 409);
    await s3.abortMultipartUpload(name);
    await assertClean();
    await refused(s3.abortMultipartUpload(name), 'NoSuchUpload', 404);
    await refused(s3.listParts(name), 'NoSuchUpload', 404);
    await refused(s3.uploadPart({ ...name, PartNumber: 1, Body: 'x' }), 'NoSuchUpload', 404);
    await refused(s3.completeMultipartUpload({ ...name, MultipartUpload: { Parts } }), 'NoSuchUpload', 404);
    await assertClean();
  });

  await t.test('parts and uploads are listed in pages', async () => {
    const { UploadId } = await sendParts(s3, 'dir/a', [SMALL, SMALL, SMALL]);
    const numbers: (number | undefined)[] = [];
    let PartNumberMarker: string | undefined;
    do {
      const page = await s3.listParts({ Bucket, Key: 'dir/a', UploadId, MaxParts: 2, PartNumberMarker });
      numbers.push(...(page.Parts ?? []).map(({ PartNumber }) => PartNumber));
      PartNumberMarker = page.NextPartNumberMarker;
    } while (PartNumberMarker !== undefined);
    assert.deepEqual(numbers, [1, 2, 3]);

    const begun = ['dir/a', 'dir/a', 'dir/b', 'dir-c', 'e&f', '😀'];
    for (const Key of begun.slice(1)) await s3.createMultipartUpload({ Bucket, Key });
    for (const MaxUploads of [1, 2, 1000]) {
      const listed: (string | undefined)[] = [];
      const ids = new Set<string | undefined>();
      let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
      for (;;) {
        const page = await s3.listMultipartUploads({ Bucket, MaxUploads, EncodingType: 'url', ...marker });
        for (const { Key, UploadId: id } of page.Uploads ?? []) {
          listed.push(decodeURIComponent(Key ?? ''));
          ids.add(id);
        }
        if (page.IsTruncated !== true) break;
        assert.equal(page.Uploads?.length, MaxUploads);
        const key = decodeURIComponent(page.NextKeyMarker ?? '');
        marker = { KeyMarker: key, UploadIdMarker: page.NextUploadIdMarker };
      }
      assert.deepEqual([...listed].sort(), [...begun].sort());
      assert.equal(ids.size, begun.length);
    }
    const grouped = await s3.listMultipartUploads({ Bucket, Delimiter: '/', MaxUploads: 2 });
    assert.deepEqual(
      grouped.CommonPrefixes?.map(({ Prefix }) => Prefix),
      ['dir/'],
    );
    const rest = await s3.listMultipartUploads({
      Bucket,
      Delimiter: '/',
      KeyMarker: grouped.NextKeyMarker,
      UploadIdMarker: grouped.NextUploadIdMarker,
    });
    assert.equal((grouped.Uploads?.length ?? 0) + (rest.Uploads?.length ?? 0), 3);
    const under = await s3.listMultipartUploads({ Bucket, Prefix: 'dir/' });
    assert.deepEqual(
      under.Uploads?.map(({ Key }) => Key),
      ['dir/a', 'dir/a', 'dir/b'],
    );
    const { Uploads = [] } = await s3.listMultipartUploads({ Bucket });
    for (const { Key, UploadId: id } of Uploads) await s3.abortMultipartUpload({ Bucket, Key, UploadId: id });
    await assertClean();
  });

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
    await assertClean();
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
    await assertClean();
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
      await assertClean();
      await s3.deleteObject({ Bucket, Key: 'race' });
    }
    assert.doesNotMatch(stack.front.output(), /"level":(50|60)/, 'nothing was unexpected');
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
