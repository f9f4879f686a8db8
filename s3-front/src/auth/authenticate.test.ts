import assert from 'node:assert/strict';
import http from 'node:http';
import test from 'node:test';
import { S3Client } from '@aws-sdk/client-s3';
import { parseTarget } from '../http/request-target.js';
import { S3Error, type S3ErrorCode } from '../s3-errors.js';
import { authenticate, type SignedRequest } from './authenticate.js';
import { canonicalUris } from './canonical-uri.js';

/** The credentials and the day of the examples in AWS's documentation of Signature Version 4 for S3. */
const EXAMPLE = {
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
  secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const EXAMPLE_DAY = new Date('2013-05-24T00:00:00Z');
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

function request(method: string, url: string, headers: Record<string, string>): SignedRequest {
  const lower = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  return { method, target: parseTarget(url), headers: lower, rawHeaders: Object.entries(headers).flat() };
}

function exampleHeaders(signedHeaders: string, signature: string): Record<string, string> {
  return {
    Host: 'examplebucket.s3.amazonaws.com',
    'x-amz-date': '20130524T000000Z',
    Authorization:
      'AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ' +
      `SignedHeaders=${signedHeaders}, Signature=${signature}`,
  };
}

const GET_OBJECT = request('GET', '/test.txt', {
  ...exampleHeaders(
    'host;range;x-amz-content-sha256;x-amz-date',
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ),
  Range: 'bytes=0-9',
  'x-amz-content-sha256': EMPTY_SHA256,
});

const EXAMPLES: readonly (readonly [string, SignedRequest])[] = [
  ['GET Object', GET_OBJECT],
  [
    'PUT Object',
    request('PUT', '/test%24file.text', {
      ...exampleHeaders(
        'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
        '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
      ),
      Date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    }),
  ],
  [
    'GET Bucket lifecycle',
    request('GET', '/?lifecycle', {
      ...exampleHeaders(
        'host;x-amz-content-sha256;x-amz-date',
        'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
      ),
      'x-amz-content-sha256': EMPTY_SHA256,
    }),
  ],
  [
    'List Objects',
    request('GET', '/?max-keys=2&prefix=J', {
      ...exampleHeaders(
        'host;x-amz-content-sha256;x-amz-date',
        '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
      ),
      'x-amz-content-sha256': EMPTY_SHA256,
    }),
  ],
];

for (const [name, example] of EXAMPLES) {
  test(`the documented example "${name}" is accepted`, () => {
    const authentication = authenticate(example, [EXAMPLE], EXAMPLE_DAY);
    assert.equal(authentication.region, 'us-east-1');
    assert.equal(authentication.expiresSeconds, undefined);
  });
}

const PRESIGNED =
  '/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256' +
  '&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
  '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
  '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';
const PRESIGNED_HEADERS = { Host: 'examplebucket.s3.amazonaws.com' };

test('the documented presigned URL is accepted until it expires, and not before its time', () => {
  const presigned = request('GET', PRESIGNED, PRESIGNED_HEADERS);
  const authentication = authenticate(presigned, [EXAMPLE], EXAMPLE_DAY);
  assert.equal(authentication.payload, 'UNSIGNED-PAYLOAD');
  const at = (ms: number): Date => new Date(EXAMPLE_DAY.getTime() + ms);
  authenticate(presigned, [EXAMPLE], at(86_400_000));
  refused(() => authenticate(presigned, [EXAMPLE], at(86_401_000)), 'AccessDenied', /expired/);
  refused(() => authenticate(presigned, [EXAMPLE], at(-16 * 60_000)), 'AccessDenied', /not valid yet/);
});

test('a presigned URL whose parameters are wrong is refused by name', () => {
  const code = 'AuthorizationQueryParametersError';
  for (const [from, to, expected] of [
    ['X-Amz-Expires=86400', 'X-Amz-Expires=604801', code],
    ['X-Amz-Expires=86400', 'X-Amz-Expires=-1', code],
    ['X-Amz-Expires=86400', 'X-Amz-Expires=0', code],
    ['X-Amz-Expires=86400&', '', code],
    ['AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1', code],
    ['20130524T000000Z', '20130524', code],
    ['20130524T000000Z', '20139924T000000Z', code],
    ['SignedHeaders=host', 'SignedHeaders=', code],
    ['SignedHeaders=host', 'SignedHeaders=range', code],
    ['aws4_request', 'aws4', code],
    ['us-east-1', 'us-west-1', 'SignatureDoesNotMatch'],
    ['X-Amz-Expires=86400', 'X-Amz-Expires=86401', 'SignatureDoesNotMatch'],
    ['test.txt', 'test.tx', 'SignatureDoesNotMatch'],
    ['X-Amz-Algorithm=', 'x-id=GetObject&X-Amz-Algorithm=', 'SignatureDoesNotMatch'],
    ['X-Amz-Date=', 'X-Amz-Date=20130524T000000Z&X-Amz-Date=', 'InvalidArgument'],
  ] as const) {
    const changed = request('GET', PRESIGNED.replace(from, to), PRESIGNED_HEADERS);
    refused(() => authenticate(changed, [EXAMPLE], EXAMPLE_DAY), expected);
  }
});

test('a host in the request line stands in the place of the header, which may be the signed one as well', () => {
  const given = GET_OBJECT.headers as Record<string, string>;
  const url = 'http://examplebucket.s3.amazonaws.com/test.txt';
  authenticate(request('GET', url, given), [EXAMPLE], EXAMPLE_DAY);
  authenticate(request('GET', 'http://proxy:80/test.txt', given), [EXAMPLE], EXAMPLE_DAY);
  authenticate(request('GET', url, { ...given, host: 'proxy' }), [EXAMPLE], EXAMPLE_DAY);
  const elsewhere = request('GET', 'http://elsewhere/test.txt', { ...given, host: 'proxy' });
  refused(() => authenticate(elsewhere, [EXAMPLE], EXAMPLE_DAY), 'SignatureDoesNotMatch');
});

test('a plus in a path is a blank, signed as %20, and %2B is a plus', () => {
  assert.equal(parseTarget('/b/a+b%2Bc?x=d+e').key, 'a b+c');
  assert.deepEqual(canonicalUris('/b/a+b%2Bc'), ['/b/a%20b%2Bc']);
});

test('a request from a clock that is off by more than fifteen minutes is refused', () => {
  for (const minutes of [-14, 14]) {
    authenticate(GET_OBJECT, [EXAMPLE], new Date(EXAMPLE_DAY.getTime() + minutes * 60_000));
  }
  for (const minutes of [-16, 16]) {
    const now = new Date(EXAMPLE_DAY.getTime() + minutes * 60_000);
    refused(() => authenticate(GET_OBJECT, [EXAMPLE], now), 'RequestTimeTooSkewed');
  }
});

test('every part of a signed request that is changed makes its signature wrong', () => {
  const { headers } = GET_OBJECT;
  const given = headers as Record<string, string>;
  const changes: readonly SignedRequest[] = [
    request('HEAD', '/test.txt', given),
    request('GET', '/test.txt2', given),
    request('GET', '/test.txt?x-id=GetObject', given),
    request('GET', '/test.txt', { ...given, range: 'bytes=0-8' }),
    request('GET', '/test.txt', { ...given, host: 'example.com' }),
    request('GET', '/test.txt', { ...given, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }),
    request('GET', '/test.txt', { ...given, 'x-amz-date': '20130524T000001Z' }),
  ];
  for (const changed of changes) {
    refused(() => authenticate(changed, [EXAMPLE], EXAMPLE_DAY), 'SignatureDoesNotMatch');
  }
  const wrongSecret = { ...EXAMPLE, secretKey: `${EXAMPLE.secretKey}x` };
  refused(() => authenticate(GET_OBJECT, [wrongSecret], EXAMPLE_DAY), 'SignatureDoesNotMatch');
  const otherKey = { ...EXAMPLE, accessKey: 'somebody' };
  refused(() => authenticate(GET_OBJECT, [otherKey], EXAMPLE_DAY), 'InvalidAccessKeyId');
});

test('a header of S3 that the signature does not cover is refused', () => {
  const added = { ...(GET_OBJECT.headers as Record<string, string>), 'x-amz-meta-a': 'b' };
  refused(
    () => authenticate(request('GET', '/test.txt', added), [EXAMPLE], EXAMPLE_DAY),
    'AccessDenied',
    /x-amz-meta-a/,
  );
});

test('an Authorization header that cannot be read is refused by name', () => {
  const given = GET_OBJECT.headers as Record<string, string>;
  const authorization = given.authorization ?? '';
  const cases: readonly (readonly [string, S3ErrorCode])[] = [
    ['', 'InvalidRequest'],
    ['AWS AKIAIOSFODNN7EXAMPLE:c2lnbmF0dXJl', 'InvalidRequest'],
    ['Basic Zm9vOmJhcg==', 'InvalidRequest'],
    ['AWS4-HMAC-SHA256', 'AuthorizationHeaderMalformed'],
    ['AWS4-HMAC-SHA256 Credential', 'AuthorizationHeaderMalformed'],
    [authorization.replace('/s3/', '/ec2/'), 'AuthorizationHeaderMalformed'],
    [authorization.replace('/20130524/', '/20130523/'), 'AuthorizationHeaderMalformed'],
    [authorization.replace('host;', ''), 'AuthorizationHeaderMalformed'],
    [authorization.replace(/Signature=.*/, 'Signature=zz'), 'AuthorizationHeaderMalformed'],
    [authorization.replace(/SignedHeaders=[^,]*/, 'SignedHeaders=Host'), 'AuthorizationHeaderMalformed'],
    [
      authorization.replace(/Credential=[^,]*/, `Credential=${'a/'.repeat(5000)}`),
      'AuthorizationHeaderMalformed',
    ],
  ];
  for (const [value, expected] of cases) {
    const changed = request('GET', '/test.txt', { ...given, authorization: value });
    refused(() => authenticate(changed, [EXAMPLE], EXAMPLE_DAY), expected);
  }
});

test('a request without signature, date or payload hash is refused', () => {
  const without = (name: string): SignedRequest =>
    request(
      'GET',
      '/test.txt',
      Object.fromEntries(
        Object.entries(GET_OBJECT.headers as Record<string, string>).filter(([header]) => header !== name),
      ),
    );
  refused(() => authenticate(without('authorization'), [EXAMPLE], EXAMPLE_DAY), 'AccessDenied', /not signed/);
  refused(() => authenticate(without('x-amz-date'), [EXAMPLE], EXAMPLE_DAY), 'AccessDenied', /x-amz-date/);
  refused(() => authenticate(without('x-amz-content-sha256'), [EXAMPLE], EXAMPLE_DAY), 'InvalidRequest');
  const twice = request('GET', PRESIGNED, GET_OBJECT.headers as Record<string, string>);
  refused(() => authenticate(twice, [EXAMPLE], EXAMPLE_DAY), 'InvalidArgument');
  const old = request('GET', '/a?AWSAccessKeyId=x&Signature=y&Expires=1', PRESIGNED_HEADERS);
  refused(() => authenticate(old, [EXAMPLE], EXAMPLE_DAY), 'InvalidRequest', /version 2/);
});

test('what the AWS SDK signs is accepted, whatever the key, and refused with one character changed', async t => {
  const seen: SignedRequest[] = [];
  const server = http.createServer((message, response) => {
    seen.push({
      method: message.method ?? '',
      target: parseTarget(message.url ?? ''),
      headers: message.headers,
      rawHeaders: message.rawHeaders,
    });
    message.resume();
    response.end();
  });
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const credentials = { accessKey: 'accessKey1', secretKey: 'verySecretKey1' };
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: 'eu-central-1',
    forcePathStyle: true,
    credentials: { accessKeyId: credentials.accessKey, secretAccessKey: credentials.secretKey },
  });
  t.after(() => client.destroy());
  const { PutObjectCommand } = await import('@aws-sdk/client-s3');
  const keys = [
    'plain',
    'with space',
    'a+b',
    '100%',
    '%20',
    'ключ',
    '日本/語.txt',
    'em😀oji',
    'a//b',
    '../up',
    './here/../there',
    `quote"'\\slash`,
    "!'()*~-_.",
    '?query=1&x#fragment',
    'a=b;c:d@e,f$g[h]',
    'tab\there',
  ];
  for (const Key of keys) {
    await client.send(
      new PutObjectCommand({
        Bucket: 'bucket',
        Key,
        Body: 'x',
        Metadata: { a: '  two   blanks ' },
        Tagging: 'a=b',
      }),
    );
    const last = seen.at(-1);
    assert.ok(last);
    assert.equal(last.target.key, Key);
    authenticate(last, [credentials]);
    const moved = { ...last, target: parseTarget(`/bucket/${encodeURIComponent(`${Key}x`)}`) };
    refused(() => authenticate(moved, [credentials]), 'SignatureDoesNotMatch');
  }
});

function refused(work: () => unknown, code: S3ErrorCode, message?: RegExp): void {
  assert.throws(work, (err: unknown) => {
    assert.ok(err instanceof S3Error, String(err));
    assert.equal(err.code, code, err.message);
    if (message) assert.match(err.message, message);
    return true;
  });
}
