import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { authenticate, type Authentication } from '../auth/authenticate.js';
import { parseTarget } from '../http/request-target.js';
import { isS3Error, type S3ErrorCode } from '../s3-errors.js';
import { type ChunkedPayload, decodeAwsChunked } from './aws-chunked.js';

const UNSIGNED = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
const SIGNED = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
const SIGNED_TRAILER = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER';

/** The example of AWS's documentation: 66560 times "a" in chunks of 64 KiB, 1 KiB and none. */
const EXAMPLE_CONTENT = Buffer.alloc(66_560, 'a');
const EXAMPLE = {
  signedHeaders:
    'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class',
  headers: { 'content-encoding': 'aws-chunked', 'content-length': '66824', 'x-amz-content-sha256': SIGNED },
  seed: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
  chunks: [
    'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
    '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
    'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
  ],
} as const;

/** The documented request that the example's body belongs to. */
function exampleAuthentication(): Authentication {
  const headers = {
    host: 's3.amazonaws.com',
    'x-amz-date': '20130524T000000Z',
    'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    'x-amz-decoded-content-length': '66560',
    ...EXAMPLE.headers,
    authorization:
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,' +
      `SignedHeaders=${EXAMPLE.signedHeaders},Signature=${EXAMPLE.seed}`,
  };
  return authenticate(
    {
      method: 'PUT',
      target: parseTarget('/examplebucket/chunkObject.txt'),
      headers,
      rawHeaders: Object.entries(headers).flat(),
    },
    [{ accessKey: 'AKIAIOSFODNN7EXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }],
    new Date('2013-05-24T00:00:00Z'),
  );
}

function exampleBody(signatures: readonly string[] = EXAMPLE.chunks): Buffer {
  const sizes = [65_536, 1024, 0];
  let at = 0;
  return Buffer.concat(
    sizes.map((size, index) => {
      const content = EXAMPLE_CONTENT.subarray(at, (at += size));
      const line = `${size.toString(16)};chunk-signature=${signatures[index] ?? ''}\r\n`;
      return Buffer.concat([Buffer.from(line), content, Buffer.from('\r\n')]);
    }),
  );
}

test('the documented example of a signed body is decoded, however it is cut into pieces', async () => {
  const authentication = exampleAuthentication();
  for (const pieceSize of [1, 7, 1000, 65_536, 100_000]) {
    const { content } = await decode(exampleBody(), SIGNED, authentication, pieceSize);
    assert.ok(content.equals(EXAMPLE_CONTENT));
  }
});

test('a signed body with a byte or a signature changed is refused', async () => {
  const authentication = exampleAuthentication();
  for (const at of [100, 65_600, 65_720]) {
    const body = exampleBody();
    body.writeUInt8('b'.charCodeAt(0), at);
    await refused(decode(body, SIGNED, authentication), 'SignatureDoesNotMatch');
  }
  const { chunks } = EXAMPLE;
  const swapped = [chunks[1], chunks[0], chunks[2]];
  await refused(decode(exampleBody(swapped), SIGNED, authentication), 'SignatureDoesNotMatch');
  const [first, second] = chunks;
  await refused(decode(exampleBody([first, second, first]), SIGNED, authentication), 'SignatureDoesNotMatch');
  const unsigned = Buffer.from('5\r\nhello\r\n0\r\n\r\n');
  await refused(decode(unsigned, SIGNED, authentication), 'SignatureDoesNotMatch');
});

test('a signed trailer is taken when its signature is right, and refused when it is not', async () => {
  const key = 'the signing key';
  const seed = 'f'.repeat(64);
  const sign = (text: string): string => createHmac('sha256', key).update(text).digest('hex');
  const authentication: Authentication = {
    ...exampleAuthentication(),
    signature: seed,
    sign,
  };
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const head = [authentication.timestamp, authentication.scope].join('\n');
  const chunk = (previous: string, content: string): string =>
    sign(`AWS4-HMAC-SHA256-PAYLOAD\n${head}\n${previous}\n${sha256('')}\n${sha256(content)}`);
  const first = chunk(seed, 'hello');
  const last = chunk(first, '');
  const trailer = 'x-amz-checksum-crc32c:sOO8/Q==\n';
  const signature = sign(`AWS4-HMAC-SHA256-TRAILER\n${head}\n${last}\n${sha256(trailer)}`);
  const bodyOf = (value: string, signed: string, afterValue = '\r\n', atEnd = '\r\n\r\n'): Buffer =>
    Buffer.from(
      `5;chunk-signature=${first}\r\nhello\r\n0;chunk-signature=${last}\r\n` +
        `x-amz-checksum-crc32c: ${value}${afterValue}x-amz-trailer-signature:${signed}${atEnd}`,
    );
  for (const afterValue of ['\r\n', '\n', '\n\r\n', '\r\n\r\n']) {
    for (const atEnd of ['\r\n\r\n', '\n\n', '\n\r\n', '\r\n', '\n']) {
      const body = bodyOf('sOO8/Q==', signature, afterValue, atEnd);
      const decoded = await decode(body, SIGNED_TRAILER, authentication, 3);
      assert.equal(decoded.content.toString(), 'hello');
      assert.deepEqual(decoded.trailers, [['x-amz-checksum-crc32c', 'sOO8/Q==']]);
    }
  }
  const twice = bodyOf('sOO8/Q==', signature, '\r\n', '\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n\r\n');
  await refused(decode(twice, SIGNED_TRAILER, authentication), 'MalformedTrailerError');
  const wrong = decode(bodyOf('sOO8/g==', signature), SIGNED_TRAILER, authentication);
  await refused(wrong, 'SignatureDoesNotMatch');
  await refused(decode(bodyOf('sOO8/Q==', first), SIGNED_TRAILER, authentication), 'SignatureDoesNotMatch');
});

test('any content in any chunks and pieces comes out as it went in', async t => {
  const { seed } = seededRandom(t);
  const authentication = exampleAuthentication();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 400 }),
      async (chunks, pieceSize) => {
        const { content, trailers } = await decode(encode(chunks), UNSIGNED, authentication, pieceSize);
        assert.ok(content.equals(Buffer.concat(chunks)));
        assert.deepEqual(trailers, [['x-amz-checksum-crc32', 'AAAAAA==']]);
      },
    ),
    { seed, numRuns: 200 },
  );
});

test('a body that ends early is refused wherever it ends', async () => {
  const authentication = exampleAuthentication();
  const whole = encode([Buffer.from('hello'), Buffer.from('world!')]);
  // The last line, an empty one, says nothing more.
  for (let length = 0; length < whole.length - 2; length += 1) {
    await refused(
      decode(whole.subarray(0, length), UNSIGNED, authentication),
      'IncompleteBody',
      String(length),
    );
  }
});

test('a broken coding is refused', async () => {
  const authentication = exampleAuthentication();
  const end = '0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n';
  for (const body of [
    '\r\n',
    'zz\r\nhello\r\n',
    '-5\r\nhello\r\n',
    '5 \r\nhello\r\n',
    'fffffffffffffffff\r\nhello\r\n',
    `5;chunk-signature=x\r\nhello\r\n${end}`,
    `5;${'x'.repeat(1_000_000)}\r\nhello\r\n${end}`,
    `4\r\nhello\r\n${end}`,
    `6\r\nhello\r\n${end}`,
    `0\r\n${'x'.repeat(100_000)}`,
  ]) {
    await refused(decode(Buffer.from(body), UNSIGNED, authentication), 'IncompleteBody', body.slice(0, 40));
  }
});

test('what follows the last chunk must be headers that may be there', async () => {
  const authentication = exampleAuthentication();
  const end = '0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n';
  for (const body of [
    '0\r\nno colon\r\n\r\n',
    '0\r\n:no name\r\n\r\n',
    `0\r\n${'a:b\r\n'.repeat(100)}\r\n`,
    `0\r\n${'\r\n'.repeat(100)}a:b\r\n`,
    `${end}more`,
    `${end}more\r\n`,
  ]) {
    const work = decode(Buffer.from(body), UNSIGNED, authentication);
    await refused(work, 'MalformedTrailerError', body.slice(0, 40));
  }
  const example = Buffer.concat([exampleBody(), Buffer.from('x-amz-checksum-crc32:AAAAAA==\r\n\r\n')]);
  await refused(decode(example, SIGNED, authentication), 'MalformedTrailerError');
});

test('the source is let go when the coding breaks, and when the reader leaves', async () => {
  const authentication = exampleAuthentication();
  let closed = 0;
  async function* source(text: string): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (;;) yield await Promise.resolve(Buffer.from(text));
    } finally {
      closed += 1;
    }
  }
  const options = { payload: UNSIGNED, authentication, onTrailer: () => undefined } as const;
  await assert.rejects(async () => {
    for await (const bytes of decodeAwsChunked({ ...options, source: source('zz\r\n') })) assert.ok(bytes);
  });
  for await (const bytes of decodeAwsChunked({ ...options, source: source('5\r\nhello\r\n') })) {
    assert.equal(bytes.toString(), 'hello');
    break;
  }
  assert.equal(closed, 2);
});

function encode(chunks: readonly Uint8Array[]): Buffer {
  return Buffer.concat([
    ...chunks.flatMap(chunk => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
    Buffer.from('0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n'),
  ]);
}

async function decode(
  body: Buffer,
  payload: ChunkedPayload,
  authentication: Authentication,
  pieceSize = 64,
): Promise<{ content: Buffer; trailers: [string, string][] }> {
  async function* pieces(): AsyncGenerator<Buffer, void, undefined> {
    for (let at = 0; at < body.length; at += pieceSize) {
      yield await Promise.resolve(body.subarray(at, at + pieceSize));
    }
  }
  const trailers: [string, string][] = [];
  const parts: Buffer[] = [];
  const onTrailer = (name: string, value: string): void => void trailers.push([name, value]);
  for await (const bytes of decodeAwsChunked({ source: pieces(), payload, authentication, onTrailer })) {
    parts.push(bytes);
  }
  return { content: Buffer.concat(parts), trailers };
}

async function refused(work: Promise<unknown>, code: S3ErrorCode, what?: string): Promise<void> {
  await assert.rejects(work, (err: unknown) => {
    assert.ok(isS3Error(err, code), `${what ?? ''}: ${String(err)}`);
    return true;
  });
}
