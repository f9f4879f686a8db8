/** Bodies in every form that clients send, right and wrong; a wrong one leaves neither object nor blob. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';
import { Readable } from 'node:stream';
import test from 'node:test';
import { crc32 } from 'node:zlib';
import type { ChecksumAlgorithm } from '@aws-sdk/client-s3';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { sleep } from '@zenko-modules/common/deadline';
import { refused } from '../testing/expect-error.js';
import { type RawAnswer, send, sendSigned, sign } from '../testing/raw-request.js';
import { CREDENTIALS, type S3Stack, startStack } from '../testing/s3-stack.js';
import { storedBlobs } from '../testing/stored-blobs.js';

const Bucket = 'uploads';
const CONTENT = randomBytes(200_000);

test('bodies in every form', async t => {
  const stack = await startStack(t, { S3_IDLE_TIMEOUT_MS: '1000', S3_MAX_OBJECT_BYTES: '1000000' });
  const { s3, url, folder } = stack;
  await s3.createBucket({ Bucket });
  const read = async (Key: string): Promise<Buffer> => {
    const { Body } = await s3.getObject({ Bucket, Key });
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };
  const put = (headers: Record<string, string>, body: Buffer | string, query = {}): Promise<RawAnswer> =>
    sendSigned(url, {
      method: 'PUT',
      path: `/${Bucket}/wrong`,
      query,
      headers: { 'content-length': String(Buffer.byteLength(body)), ...headers },
      body: Buffer.from(body),
    });
  /** Asserts that an upload was refused and that nothing of it is there. */
  const left = async (answer: RawAnswer, code: string, what: string): Promise<void> => {
    assert.equal(answer.code, code, `${what}: ${answer.body}`);
    await refused(s3.headObject({ Bucket, Key: 'wrong' }), 'NotFound', 404);
    assert.equal((await storedBlobs(folder)).length, 0, what);
  };

  await t.test('what the SDK sends by default and with each checksum', async () => {
    const forms: { ChecksumAlgorithm?: ChecksumAlgorithm }[] = [
      {},
      ...(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const).map(ChecksumAlgorithm => ({
        ChecksumAlgorithm,
      })),
    ];
    for (const form of forms) {
      const stream = Readable.from([CONTENT.subarray(0, 70_000), CONTENT.subarray(70_000)]);
      for (const Body of [CONTENT, stream]) {
        await s3.putObject({ Bucket, Key: 'k', Body, ContentLength: CONTENT.length, ...form });
        assert.ok((await read('k')).equals(CONTENT), JSON.stringify(form));
      }
    }
    const plain = stack.client({ requestChecksumCalculation: 'WHEN_REQUIRED' });
    await plain.putObject({ Bucket, Key: 'k', Body: CONTENT });
    assert.ok((await read('k')).equals(CONTENT));
    await s3.deleteObject({ Bucket, Key: 'k' });
  });

  await t.test('digests that do not match', async () => {
    const sha256 = createHash('sha256').update('other').digest();
    const md5 = createHash('md5').update('other').digest('base64');
    const cases: [Record<string, string>, string][] = [
      [{ 'content-md5': md5 }, 'BadDigest'],
      [{ 'content-md5': 'short' }, 'InvalidDigest'],
      [{ 'x-amz-content-sha256': sha256.toString('hex') }, 'XAmzContentSHA256Mismatch'],
      [{ 'x-amz-content-sha256': 'abc' }, 'InvalidArgument'],
      [{ 'x-amz-content-sha256': 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD' }, 'NotImplemented'],
      [{ 'x-amz-checksum-crc32': 'AAAAAA==' }, 'BadDigest'],
      [{ 'x-amz-checksum-crc32c': 'AAAAAA==' }, 'BadDigest'],
      [{ 'x-amz-checksum-crc64nvme': 'AAAAAAAAAAA=' }, 'BadDigest'],
      [{ 'x-amz-checksum-sha1': createHash('sha1').digest('base64') }, 'BadDigest'],
      [{ 'x-amz-checksum-sha256': sha256.toString('base64') }, 'BadDigest'],
      [{ 'x-amz-checksum-sha256': 'AAAA' }, 'InvalidRequest'],
      [{ 'x-amz-checksum-md6': 'AAAA' }, 'InvalidRequest'],
      [{ 'x-amz-checksum-crc32': 'AAAAAA==', 'x-amz-checksum-crc32c': 'AAAAAA==' }, 'InvalidRequest'],
      [{ 'x-amz-trailer': 'x-amz-checksum-crc32' }, 'InvalidRequest'],
      [{ 'x-amz-sdk-checksum-algorithm': 'CRC32' }, 'InvalidRequest'],
      [{ 'x-amz-sdk-checksum-algorithm': 'CRC32C', 'x-amz-checksum-crc32': 'AAAAAA==' }, 'InvalidRequest'],
    ];
    for (const [headers, code] of cases) {
      for (const body of [CONTENT, 'x', '']) {
        const isEmptyMatch = body === '' && Object.values(headers).every(value => /^A+=+$/.test(value));
        if (isEmptyMatch && code === 'BadDigest') continue;
        if (body === '' && 'x-amz-checksum-sha1' in headers) continue;
        await left(await put(headers, body), code, JSON.stringify(headers));
      }
    }
  });

  await t.test('bodies whose coding is wrong', async () => {
    const trailer = (text: string, size: number, more: Record<string, string> = {}): Promise<RawAnswer> =>
      put(
        {
          'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
          'x-amz-decoded-content-length': String(size),
          'x-amz-trailer': 'x-amz-checksum-crc32',
          'content-encoding': 'aws-chunked',
          ...more,
        },
        text,
      );
    const crc = Buffer.alloc(4);
    crc.writeUInt32BE(crc32('hello'));
    const right = `5\r\nhello\r\n0\r\nx-amz-checksum-crc32:${crc.toString('base64')}\r\n\r\n`;
    assert.equal((await trailer(right, 5)).status, 200);
    assert.equal((await s3.headObject({ Bucket, Key: 'wrong' })).ContentEncoding, undefined);
    await s3.deleteObject({ Bucket, Key: 'wrong' });

    await left(await trailer(right, 6), 'IncompleteBody', 'shorter than announced');
    await left(await trailer(right, 4), 'InvalidRequest', 'longer than announced');
    await left(await trailer(right.replace('hello', 'jello'), 5), 'BadDigest', 'changed');
    await left(await trailer('5\r\nhello\r\n0\r\n\r\n', 5), 'MalformedTrailerError', 'no trailer');
    const sum = crc.toString('base64');
    const sumHeader = `x-amz-checksum-crc32:${sum}\r\n`;
    for (const [text, headers, code] of [
      [right, { 'x-amz-trailer': 'x-amz-checksum-crc32c' }, 'MalformedTrailerError'],
      [right, { 'x-amz-trailer': 'x-amz-meta-a' }, 'InvalidRequest'],
      [right, { 'x-amz-trailer': 'x-amz-checksum-crc32,x-amz-checksum-sha1' }, 'InvalidRequest'],
      [right, { 'x-amz-checksum-crc32': sum }, 'InvalidRequest'],
      [right, { 'x-amz-checksum-crc32c': 'AAAAAA==' }, 'InvalidRequest'],
      [right, { 'x-amz-sdk-checksum-algorithm': 'SHA256' }, 'InvalidRequest'],
      [right, { 'content-md5': createHash('md5').update('other').digest('base64') }, 'BadDigest'],
      [right.replace(sumHeader, sumHeader + sumHeader), {}, 'MalformedTrailerError'],
      [right.replace(sumHeader, `${sumHeader}x-amz-meta-a:b\r\n`), {}, 'MalformedTrailerError'],
      [right.replace(sumHeader, `${sumHeader}x-amz-trailer-signature:aa\r\n`), {}, 'MalformedTrailerError'],
      [right.replace(sumHeader, 'no colon\r\n'), {}, 'MalformedTrailerError'],
    ] as const) {
      await left(await trailer(text, 5, headers), code, JSON.stringify([text, headers]));
    }
    const unannounced = await put(
      {
        'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
        'x-amz-decoded-content-length': '5',
      },
      right,
    );
    await left(unannounced, 'MalformedTrailerError', 'not announced');
    for (const form of [right.replace(sumHeader, `${sumHeader.slice(0, -2)}\n\r\n`), right.slice(0, -2)]) {
      assert.equal((await trailer(form, 5)).status, 200, JSON.stringify(form));
      await s3.deleteObject({ Bucket, Key: 'wrong' });
    }
    await left(await trailer(right.replace(/crc32:.*\r/, 'crc32:zz\r'), 5), 'InvalidRequest', 'no checksum');
    await left(await trailer(`${right}more`, 5), 'MalformedTrailerError', 'goes on');
    await left(await trailer('hello', 5), 'IncompleteBody', 'not coded');
    await left(await trailer(right, 5, { 'x-amz-decoded-content-length': '-5' }), 'InvalidArgument', '-5');
    await left(await trailer(right, 2_000_000), 'EntityTooLarge', 'too large');
    const { headers, path } = await sign(url, {
      method: 'PUT',
      path: `/${Bucket}/wrong`,
      headers: { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' },
    });
    const chunked = { ...headers, 'transfer-encoding': 'chunked' };
    const unsized = await send(url, { method: 'PUT', path, headers: chunked, body: right });
    await left(unsized, 'MissingContentLength', 'no decoded length');
    const plain = await sign(url, { method: 'PUT', path: `/${Bucket}/wrong` });
    const withoutLength = { ...plain.headers, 'transfer-encoding': 'chunked' };
    const answer = await send(url, { method: 'PUT', path: plain.path, headers: withoutLength, body: 'x' });
    assert.equal(answer.status, 411);
    await left(answer, 'MissingContentLength', 'no length');
  });

  await t.test('bodies of signed chunks', async () => {
    const key = '/uploads/signed chunks';
    const send65k = (tamper: (body: Buffer) => void): Promise<RawAnswer> =>
      sendSignedChunks(stack, key, CONTENT, tamper);
    const answer = await send65k(() => undefined);
    assert.equal(answer.status, 200, answer.body);
    assert.ok((await read('signed chunks')).equals(CONTENT));
    await s3.deleteObject({ Bucket, Key: 'signed chunks' });
    for (const at of [200, 100_000, 200_300]) {
      const wrong = await send65k(body => void body.writeUInt8(body.readUInt8(at) ^ 1, at));
      await left(wrong, 'SignatureDoesNotMatch', `byte ${at}`);
    }
  });

  await t.test('uploads that the client gives up or forgets', async () => {
    for (const sent of [0, 1000, 150_000]) {
      const { headers, path } = await sign(url, {
        method: 'PUT',
        path: `/${Bucket}/wrong`,
        headers: { 'content-length': '200000' },
      });
      const request = http.request(url + path, { method: 'PUT', headers, agent: false });
      const failed = new Promise<Error>(resolve => request.once('error', resolve));
      request.write(CONTENT.subarray(0, sent));
      await sleep(100);
      request.destroy(new Error('given up'));
      await failed;
    }
    const { headers, path } = await sign(url, {
      method: 'PUT',
      path: `/${Bucket}/wrong`,
      headers: { 'content-length': '200000' },
    });
    const forgotten = http.request(url + path, { method: 'PUT', headers, agent: false });
    forgotten.write(CONTENT.subarray(0, 1000));
    await assert.rejects(
      new Promise((resolve, reject) => forgotten.once('error', reject).once('response', resolve)),
      /socket hang up|ECONNRESET/,
    );
    await refused(s3.headObject({ Bucket, Key: 'wrong' }), 'NotFound', 404);
    assert.deepEqual(await storedBlobs(folder), []);
  });

  await t.test('a client that asks first is told before it sends, and told no before it sends', async () => {
    for (const [path, status] of [
      [`/${Bucket}/asked`, 200],
      ['/missing-bucket/asked', 404],
    ] as const) {
      const signed = await sign(url, {
        method: 'PUT',
        path,
        headers: { 'content-length': '5', expect: '100-continue' },
      });
      const request = http.request(url + signed.path, {
        method: 'PUT',
        headers: signed.headers,
        agent: false,
      });
      request.flushHeaders();
      const told = new Promise<string>(resolve => {
        request.once('continue', () => {
          resolve('go on');
          request.end('hello');
        });
        request.once('response', () => resolve('answered'));
      });
      const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
        request.once('response', resolve).once('error', reject);
      });
      assert.equal(await told, status === 200 ? 'go on' : 'answered');
      const response = await answered;
      response.resume();
      assert.equal(response.statusCode, status);
      request.destroy();
    }
    await s3.deleteObject({ Bucket, Key: 'asked' });
  });

  await t.test('a client that is refused while it sends gets the answer', async () => {
    const { headers, path } = await sign(url, {
      method: 'PUT',
      path: '/missing-bucket/k',
      headers: { 'content-length': '900000' },
    });
    const answer = await send(url, { method: 'PUT', path, headers, body: Buffer.alloc(900_000) });
    assert.deepEqual([answer.status, answer.code], [404, 'NoSuchBucket']);
    assert.equal(answer.headers.connection, 'close');
  });

  await t.test('a request that is cut off after its head does no harm', async () => {
    const { headers, path } = await sign(url, {
      method: 'PUT',
      path: `/${Bucket}/wrong`,
      headers: { 'content-length': '5' },
    });
    const socket = net.connect(stack.port('S3_PORT'), '127.0.0.1');
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.end(`PUT ${path} HTTP/1.1\r\n${head.join('')}\r\nhel`);
    await new Promise(resolve => socket.once('close', resolve).resume());
    await refused(s3.headObject({ Bucket, Key: 'wrong' }), 'NotFound', 404);
    assert.deepEqual(await storedBlobs(folder), []);
  });
});

/** The coding of clients before trailers: each chunk signed, the first from the request's own signature. */
async function sendSignedChunks(
  { url }: S3Stack,
  path: string,
  content: Buffer,
  tamper: (body: Buffer) => void,
): Promise<RawAnswer> {
  const chunkSize = 65_536;
  const sizes: number[] = [];
  for (let at = 0; at < content.length; at += chunkSize) sizes.push(Math.min(chunkSize, content.length - at));
  sizes.push(0);
  const coded = sizes.reduce((sum, size) => sum + size.toString(16).length + size + 17 + 64 + 4, 0);
  const signed = await sign(url, {
    method: 'PUT',
    path,
    headers: {
      'content-length': String(coded),
      'content-encoding': 'aws-chunked',
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'x-amz-decoded-content-length': String(content.length),
    },
  });
  const { 'x-amz-date': date = '', authorization = '' } = signed.headers;
  const [, scope = ''] = /Credential=[^/]+\/([^,]+),/.exec(authorization) ?? [];
  let [, previous = ''] = /Signature=([0-9a-f]{64})/.exec(authorization) ?? [];
  const signer = new SignatureV4({
    service: 's3',
    region: 'us-east-1',
    sha256: Sha256,
    credentials: CREDENTIALS,
  });
  const [year, month, day] = [date.slice(0, 4), date.slice(4, 6), date.slice(6, 8)];
  const signingDate = new Date(`${year}-${month}-${day}T00:00:00Z`);
  const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');
  const parts: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    const chunk = content.subarray(at, (at += size));
    const text = ['AWS4-HMAC-SHA256-PAYLOAD', date, scope, previous, sha256(''), sha256(chunk)].join('\n');
    previous = await signer.sign(text, { signingDate });
    parts.push(
      Buffer.from(`${size.toString(16)};chunk-signature=${previous}\r\n`),
      chunk,
      Buffer.from('\r\n'),
    );
  }
  const body = Buffer.concat(parts);
  tamper(body);
  return send(url, { method: 'PUT', path: signed.path, headers: signed.headers, body });
}
