/** Names in every encoding that a client may choose: each is read as AWS reads it, and its signature found right. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { HttpRequest } from '@smithy/protocol-http';
import { refused } from '../testing/expect-error.js';
import { type RawAnswer, send, SIGNER } from '../testing/raw-request.js';
import { type S3Stack, startStack } from '../testing/s3-stack.js';

const Bucket = 'encoded';

const KEYS = [
  'a%2Fb',
  'a%2fb',
  'a%252Fb',
  'a+b',
  'a b',
  'a%20b',
  'A',
  '%41',
  'ä/ö€😀',
  "!'()*~-._",
  'a//b',
  '/a',
  'a/../b',
  './a',
  '&=?#;:@$,',
];

/** How a key comes on the wire, what its client signed, and the key. */
const ON_THE_WIRE: readonly (readonly [wire: string, signed: string, key: string])[] = [
  ['a/b', 'a/b', 'a/b'],
  // Encoded slashes, as clients sign them that decode first, and as the AWS SDKs sign them.
  ['a%2Fb', 'a/b', 'a/b'],
  ['a%2fb', 'a/b', 'a/b'],
  ['a%2Fb', 'a%2Fb', 'a/b'],
  ['a%2fb', 'a%2Fb', 'a/b'],
  ['a%252Fb', 'a%252Fb', 'a%2Fb'],
  ['a%252fb', 'a%252fb', 'a%2fb'],
  ['a+b', 'a%20b', 'a b'],
  ['a%2Bb', 'a%2Bb', 'a+b'],
  ['a%2bb', 'a%2Bb', 'a+b'],
  ['%41', 'A', 'A'],
  ['%7e%2D', '~-', '~-'],
  ["!'()*", '%21%27%28%29%2A', "!'()*"],
  ['%c3%a4', '%C3%A4', 'ä'],
  ['a//b', 'a//b', 'a//b'],
  ['a/%2e%2E/b', 'a/../b', 'a/../b'],
];

interface Raw {
  readonly wire: string;
  readonly signed: string;
  readonly method?: string;
  readonly body?: string;
}

type Send = (stack: S3Stack, request: Raw) => Promise<RawAnswer>;

function requestOf({ url }: S3Stack, { signed, method = 'GET' }: Raw): HttpRequest {
  const headers = { host: new URL(url).host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
  return new HttpRequest({ method, path: signed, headers });
}

const SIGNED: Readonly<Record<string, Send>> = {
  'in its header': async (stack, raw) => {
    const { headers } = await SIGNER.sign(requestOf(stack, raw));
    return send(stack.url, { ...raw, path: raw.wire, headers });
  },
  'in its query': async (stack, raw) => {
    const { headers, query = {} } = await SIGNER.presign(requestOf(stack, raw), { expiresIn: 600 });
    const search = new URLSearchParams(query as Record<string, string>).toString();
    return send(stack.url, { ...raw, path: `${raw.wire}?${search}`, headers });
  },
};

test('keys and buckets in every encoding', async t => {
  const stack = await startStack(t);
  const { s3 } = stack;
  await s3.createBucket({ Bucket });

  for (const [how, sendSigned] of Object.entries(SIGNED)) {
    await t.test(`a request that is signed ${how}: keys`, async () => {
      for (const [wire, signed, key] of ON_THE_WIRE) {
        const paths = { wire: `/${Bucket}/${wire}`, signed: `/${Bucket}/${signed}` };
        const body = `${how} ${wire}`;
        const put = await sendSigned(stack, { ...paths, method: 'PUT', body });
        assert.deepEqual([put.status, put.code], [200, undefined], `PUT ${wire}, signed ${signed}`);
        assert.equal((await sendSigned(stack, paths)).body, body, `GET ${wire}, signed ${signed}`);
        const { Body } = await s3.getObject({ Bucket, Key: key });
        assert.equal(await Body?.transformToString(), body, `${wire} is ${key}`);
      }
    });

    await t.test(`a request that is signed ${how}: buckets`, async () => {
      for (const name of [
        'encoded%2Fkey',
        'encoded%2fkey',
        '%2Fencoded',
        'enco%252Fded',
        'enco%20ded',
        'b%C3%BCcket',
      ]) {
        for (const key of ['', '/', '/key']) {
          for (const method of ['GET', 'PUT', 'DELETE']) {
            const path = `/${name.replace('%2f', '%2F')}${key}`;
            const answer = await sendSigned(stack, { wire: `/${name}${key}`, signed: path, method });
            assert.deepEqual([answer.status, answer.code], [400, 'InvalidBucketName'], `${method} ${path}`);
          }
        }
      }
      const { status } = await sendSigned(stack, { wire: `/%65ncoded/`, signed: '/encoded/' });
      assert.equal(status, 200, 'a letter that is encoded is that letter');
    });

    await t.test(`a request that is signed ${how}: another path than the one that was signed`, async () => {
      await s3.putObject({ Bucket, Key: 'a/b', Body: 'x' });
      for (const [wire, signed] of [
        ['a%2Fb', 'a%252Fb'],
        ['a%2Fb', 'a%2F%2Fb'],
        ['a/b', 'a%2Fb'],
        ['a%252Fb', 'a/b'],
        ['a%2Fb%2Fc', 'a/b%2Fc'],
      ] as const) {
        const answer = await sendSigned(stack, {
          wire: `/${Bucket}/${wire}`,
          signed: `/${Bucket}/${signed}`,
        });
        assert.equal(answer.code, 'SignatureDoesNotMatch', `${wire}, signed ${signed}`);
      }
    });
  }

  await t.test('the AWS SDK: every key that was put is read, listed and presigned', async () => {
    const keys = KEYS.map(key => `sdk/${key}`);
    for (const Key of keys) await s3.putObject({ Bucket, Key, Body: Key });
    for (const Key of keys) {
      const { Body } = await s3.getObject({ Bucket, Key });
      assert.equal(await Body?.transformToString(), Key);
      const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key }));
      assert.equal((await send(stack.url, { path: url.slice(stack.url.length) })).body, Key);
    }
    const { Contents = [] } = await s3.listObjectsV2({ Bucket, Prefix: 'sdk/' });
    assert.deepEqual(new Set(Contents.map(({ Key }) => Key)), new Set(keys));
  });

  await t.test('the AWS SDK: a bucket whose name must be encoded is none', async () => {
    for (const name of ['a%2Fb', 'enco%64ed', 'with blank', 'a+b', 'bücket']) {
      await refused(s3.createBucket({ Bucket: name }), 'InvalidBucketName', 400);
      await refused(s3.putObject({ Bucket: name, Key: 'key', Body: 'x' }), 'InvalidBucketName', 400);
      await refused(s3.listObjectsV2({ Bucket: name }), 'InvalidBucketName', 400);
      await assert.rejects(
        s3.send(new HeadBucketCommand({ Bucket: name })),
        (err: { $metadata?: { httpStatusCode?: number } }) => err.$metadata?.httpStatusCode === 400,
      );
      const urls = {
        GET: await getSignedUrl(s3, new ListObjectsV2Command({ Bucket: name })),
        PUT: await getSignedUrl(s3, new PutObjectCommand({ Bucket: name, Key: 'key' })),
      };
      for (const [method, url] of Object.entries(urls)) {
        const { code } = await send(stack.url, { method, path: url.slice(stack.url.length) });
        assert.equal(code, 'InvalidBucketName', url);
      }
    }
  });
});
