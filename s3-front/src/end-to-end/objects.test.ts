/** Objects through AWS's SDK: content, keys, ranges, conditions, metadata, and the blobs behind them. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import test from 'node:test';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { DataClient } from '../data-client.js';
import type { Location } from '../object-value.js';
import { refused } from '../testing/expect-error.js';
import { startStack } from '../testing/s3-stack.js';
import { assertBlobs } from '../testing/stored-blobs.js';

const Bucket = 'objects';

test('objects are read back as they were written, and leave nothing when they go', async t => {
  const { s3, metadata, folder, port, front } = await startStack(t);
  await s3.createBucket({ Bucket });
  const put = (Key: string, Body: string | Buffer, more: object = {}) =>
    s3.putObject({ Bucket, Key, Body, ...more });
  const read = async (Key: string, more: object = {}): Promise<Buffer> => {
    const { Body } = await s3.getObject({ Bucket, Key, ...more });
    assert.ok(Body);
    return Buffer.from(await Body.transformToByteArray());
  };

  await t.test('content of any size', async () => {
    for (const size of [0, 1, 65_535, 65_536, 65_537, 3_000_000]) {
      const content = randomBytes(size);
      const { ETag } = await put('sized', content);
      assert.equal(ETag, `"${createHash('md5').update(content).digest('hex')}"`);
      assert.ok((await read('sized')).equals(content), `${size} bytes`);
      const head = await s3.headObject({ Bucket, Key: 'sized' });
      assert.deepEqual([head.ContentLength, head.ETag], [size, ETag]);
    }
  });

  await t.test('keys of any kind', async () => {
    const keys = [
      'a b+c',
      'ключ',
      '日本/語.txt',
      'em😀oji',
      'quote"\\slash',
      '/leading',
      'double//slash',
      'trailing/',
      '../up',
      '.',
      '..',
      '%2F%00',
      `!'()*;:@&=$,?#[]`,
      'x'.repeat(915),
    ];
    for (const Key of keys) await put(Key, Key);
    for (const Key of keys) assert.equal((await read(Key)).toString(), Key);
    const { Contents = [] } = await s3.listObjectsV2({ Bucket, EncodingType: 'url' });
    const listed = Contents.map(({ Key = '' }) => decodeURIComponent(Key)).filter(key => key !== 'sized');
    assert.deepEqual(new Set(listed), new Set(keys));
    const { Errors } = await s3.deleteObjects({
      Bucket,
      Delete: { Objects: keys.map(Key => ({ Key })) },
    });
    assert.equal(Errors, undefined);
    assert.equal((await s3.listObjectsV2({ Bucket })).KeyCount, 1);
    await refused(put('x'.repeat(916), 'x'), 'KeyTooLongError', 400);
  });

  await t.test('ranges', async () => {
    const content = randomBytes(100_000);
    await put('ranged', content);
    for (const [Range, start, end] of [
      ['bytes=0-0', 0, 1],
      ['bytes=0-99999', 0, 100_000],
      ['bytes=65530-65545', 65_530, 65_546],
      ['bytes=99999-', 99_999, 100_000],
      ['bytes=99990-200000', 99_990, 100_000],
      [`bytes=99990-${'9'.repeat(20)}`, 99_990, 100_000],
      ['bytes=-10', 99_990, 100_000],
      ['bytes=-200000', 0, 100_000],
    ] as const) {
      const answer = await s3.getObject({ Bucket, Key: 'ranged', Range });
      assert.equal(answer.$metadata.httpStatusCode, 206);
      assert.equal(answer.ContentRange, `bytes ${start}-${end - 1}/100000`);
      const bytes = Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
      assert.ok(bytes.equals(content.subarray(start, end)), Range);
    }
    for (const Range of ['bytes=5-2', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=', 'bytes=a-b']) {
      assert.equal((await read('ranged', { Range })).length, 100_000, Range);
    }
    for (const Range of ['bytes=100000-', `bytes=1${'0'.repeat(400)}-`, 'bytes=-0']) {
      await refused(s3.getObject({ Bucket, Key: 'ranged', Range }), 'InvalidRange', 416);
    }
    await put('empty', '');
    await refused(s3.getObject({ Bucket, Key: 'empty', Range: 'bytes=0-1' }), 'InvalidRange', 416);
    const head = await s3.headObject({ Bucket, Key: 'ranged', Range: 'bytes=1-2' });
    assert.equal(head.ContentLength, 2);
  });

  await t.test('conditions', async () => {
    const { ETag = '' } = await put('conditional', 'x');
    const { LastModified = new Date() } = await s3.headObject({ Bucket, Key: 'conditional' });
    const before = new Date(LastModified.getTime() - 10_000);
    const get = (more: object) => s3.getObject({ Bucket, Key: 'conditional', ...more });
    for (const holds of [
      { IfMatch: ETag },
      { IfMatch: '*' },
      { IfMatch: `"other", ${ETag}` },
      { IfNoneMatch: '"other"' },
      { IfModifiedSince: before },
      { IfUnmodifiedSince: LastModified },
      { IfMatch: ETag, IfUnmodifiedSince: before },
      { IfNoneMatch: '"other"', IfModifiedSince: LastModified },
    ]) {
      await (await get(holds)).Body?.transformToString();
    }
    for (const fails of [{ IfMatch: '"other"' }, { IfUnmodifiedSince: before }]) {
      await refused(get(fails), 'PreconditionFailed', 412);
    }
    for (const unchanged of [
      { IfNoneMatch: ETag },
      { IfNoneMatch: '*' },
      { IfModifiedSince: LastModified },
    ]) {
      await refused(get(unchanged), 'Unknown', 304);
    }
    await refused(put('conditional', 'y', { IfNoneMatch: '*' }), 'PreconditionFailed', 412);
    await refused(put('conditional', 'y', { IfMatch: '"other"' }), 'PreconditionFailed', 412);
    await refused(put('not there', 'y', { IfMatch: ETag }), 'NoSuchKey', 404);
    assert.equal((await read('conditional')).toString(), 'x');
    await put('conditional', 'z', { IfMatch: ETag });
    await put('new', 'z', { IfNoneMatch: '*' });
    assert.equal((await read('conditional')).toString(), 'z');
  });

  await t.test('headers that are stored, and headers of an answer that a reader asks for', async () => {
    await put('headers', 'x', {
      CacheControl: 'no-cache',
      ContentDisposition: 'attachment; filename="a.txt"',
      ContentEncoding: 'gzip',
      ContentLanguage: 'en',
      ContentType: 'text/html',
      Expires: new Date('2030-01-01T00:00:00Z'),
      Metadata: { one: '1', two: 'zwei und drei' },
      Tagging: 'a=b&c=d%20e',
    });
    const head = await s3.headObject({ Bucket, Key: 'headers' });
    assert.deepEqual(
      [
        head.CacheControl,
        head.ContentDisposition,
        head.ContentEncoding,
        head.ContentLanguage,
        head.ContentType,
      ],
      ['no-cache', 'attachment; filename="a.txt"', 'gzip', 'en', 'text/html'],
    );
    assert.equal(head.ExpiresString, 'Tue, 01 Jan 2030 00:00:00 GMT');
    assert.deepEqual(head.Metadata, { one: '1', two: 'zwei und drei' });
    const got = await s3.getObject({
      Bucket,
      Key: 'headers',
      ResponseContentType: 'text/plain',
      ResponseContentDisposition: 'inline',
    });
    await got.Body?.transformToString();
    assert.deepEqual([got.ContentType, got.ContentDisposition, got.TagCount], ['text/plain', 'inline', 2]);
    const hostile = s3.getObject({ Bucket, Key: 'headers', ResponseContentType: 'a\r\nx-injected: 1' });
    await refused(hostile, 'InvalidArgument', 400);
    await put('large metadata', 'x', { Metadata: { k: 'v'.repeat(2047) } });
    const tooLarge = put('large metadata', 'x', { Metadata: { k: 'v'.repeat(2048) } });
    await refused(tooLarge, 'MetadataTooLarge', 400);
  });

  await t.test('presigned URLs', async () => {
    const options = { expiresIn: 60 };
    const upload = new PutObjectCommand({ Bucket, Key: 'pre signed+', Metadata: { a: 'b' }, Tagging: 'x=y' });
    const sent = await fetch(await getSignedUrl(s3, upload, options), { method: 'PUT', body: 'hello' });
    assert.equal(sent.status, 200, await sent.text());
    const download = new GetObjectCommand({ Bucket, Key: 'pre signed+', ResponseContentType: 'text/x' });
    const url = await getSignedUrl(s3, download, options);
    const answer = await fetch(url);
    assert.equal(await answer.text(), 'hello');
    assert.equal(answer.headers.get('content-type'), 'text/x');
    assert.equal(answer.headers.get('x-amz-meta-a'), 'b', 'what the URL says in headers is stored');
    assert.equal(answer.headers.get('x-amz-tagging-count'), '1');
    assert.equal((await fetch(url, { method: 'DELETE' })).status, 403);
    assert.equal((await fetch(`${url}&x-amz-meta-c=d`)).status, 403);
  });

  await t.test('objects that CloudServer put together from parts', async () => {
    const data = new DataClient({ host: '127.0.0.1', port: port('DATA_PORT'), timeoutMs: 10_000 });
    t.after(() => data.close());
    const parts = [randomBytes(100_000), randomBytes(50_000), randomBytes(1)];
    const location: Location[] = [];
    for (const part of parts) {
      const start = location.reduce((sum, { size }) => sum + size, 0);
      const key = await data.put(Readable.from([part]), part.length, 'test');
      location.push({ key, size: part.length, start, dataStoreName: 'file', dataStoreETag: '1:x' });
    }
    await put('template', 'x');
    const value = await metadata.getObject(Bucket, 'template', {}, 'test');
    assert.ok(value);
    const size = 150_001;
    const joined = { ...value, location, 'content-length': size, checksum: undefined };
    await metadata.putObject(Bucket, 'parts', joined, {}, 'test');
    const whole = Buffer.concat(parts);
    assert.ok((await read('parts')).equals(whole));
    for (const [first, last] of [
      [99_999, 100_000],
      [100_000, 149_999],
      [0, 150_000],
      [99_990, 150_000],
      [150_000, 150_000],
    ] as const) {
      const bytes = await read('parts', { Range: `bytes=${first}-${last}` });
      assert.ok(bytes.equals(whole.subarray(first, last + 1)), `${first}-${last}`);
    }
    await s3.copyObject({ Bucket, Key: 'parts copied', CopySource: `${Bucket}/parts` });
    await s3.deleteObject({ Bucket, Key: 'parts' });
    assert.ok((await read('parts copied')).equals(whole));
    const gap = { ...value, location: location.slice(1), 'content-length': size };
    await metadata.putObject(Bucket, 'damaged', gap, {}, 'test');
    await refused(s3.getObject({ Bucket, Key: 'damaged' }), 'InternalError', 500);
    const elsewhere = [{ key: 'k', size: 1, start: 0, dataStoreName: 'cloud', dataStoreType: 'aws_s3' }];
    await metadata.putObject(Bucket, 'elsewhere', { ...value, location: elsewhere }, {}, 'test');
    await refused(s3.getObject({ Bucket, Key: 'elsewhere' }), 'NotImplemented', 501);
    await refused(s3.deleteObject({ Bucket, Key: 'elsewhere' }), 'NotImplemented', 501);
    await refused(put('elsewhere', 'y'), 'NotImplemented', 501);
    assert.ok(await metadata.getObject(Bucket, 'elsewhere', {}, 'test'));
    await metadata.putObject(Bucket, 'no header', { ...value, 'content-type': 'ключ' }, {}, 'test');
    await refused(s3.getObject({ Bucket, Key: 'no header' }), 'InternalError', 500);
    for (const key of ['damaged', 'elsewhere', 'no header'])
      await metadata.deleteObject(Bucket, key, {}, 'test');
  });

  await t.test('an object larger than the memory it takes', async () => {
    // V8 lets garbage of some 75 MiB gather in newer versions of Node.js, whatever the size.
    const size = 256 * 1024 * 1024;
    const peakBefore = await peakMemory(front.pid);
    const block = randomBytes(1024 * 1024);
    const content = function* (): Generator<Buffer> {
      for (let sent = 0; sent < size; sent += block.length) yield block;
    };
    await s3.putObject({ Bucket, Key: 'large', Body: Readable.from(content()), ContentLength: size });
    const { Body } = await s3.getObject({ Bucket, Key: 'large' });
    let received = 0;
    const hash = createHash('md5');
    for await (const bytes of Body as Readable) {
      received += (bytes as Buffer).length;
      hash.update(bytes as Buffer);
    }
    const { ETag } = await s3.headObject({ Bucket, Key: 'large' });
    assert.equal(received, size);
    assert.equal(`"${hash.digest('hex')}"`, ETag);
    const growth = (await peakMemory(front.pid)) - peakBefore;
    assert.ok(growth < size / 2, `the front took ${growth} bytes more`);
  });

  await t.test('what is not there', async () => {
    await refused(s3.getObject({ Bucket, Key: 'nope' }), 'NoSuchKey', 404);
    await refused(s3.headObject({ Bucket, Key: 'nope' }), 'NotFound', 404);
    await refused(s3.getObject({ Bucket: 'missing', Key: 'nope' }), 'NoSuchBucket', 404);
    await refused(s3.putObject({ Bucket: 'missing', Key: 'nope', Body: 'x' }), 'NoSuchBucket', 404);
    await refused(s3.deleteObject({ Bucket: 'missing', Key: 'nope' }), 'NoSuchBucket', 404);
    assert.equal((await s3.deleteObject({ Bucket, Key: 'nope' })).$metadata.httpStatusCode, 204);
  });

  await t.test('each blob belongs to an object, and goes with it', async () => {
    const { Contents = [] } = await s3.listObjectsV2({ Bucket });
    const referenced = new Set<string>();
    for (const { Key = '' } of Contents) {
      const value = await metadata.getObject(Bucket, Key, {}, 'test');
      for (const { key } of value?.location ?? []) referenced.add(key);
    }
    await assertBlobs(folder, referenced);
    for (const { Key = '' } of Contents) await s3.deleteObject({ Bucket, Key });
    await assertBlobs(folder, []);
    await s3.deleteBucket({ Bucket });
  });
});

/** The most memory that a process has taken so far, in bytes. */
async function peakMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
