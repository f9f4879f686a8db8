/** Listings through AWS's SDK, over more objects than one page holds. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { paginateListObjectsV2, type S3 } from '@aws-sdk/client-s3';
import { refused } from '../testing/expect-error.js';
import { sendSigned } from '../testing/raw-request.js';
import { startStack } from '../testing/s3-stack.js';

const Bucket = 'listing';

test('objects are listed in pages', async t => {
  const { s3, metadata, url } = await startStack(t);
  await s3.createBucket({ Bucket });
  const odd = [
    'a b+c',
    'ключ',
    '日本/語.txt',
    'em😀oji',
    'x&y<z>"',
    "it's",
    '%41',
    'tail/',
    'new\nline\r',
    '\uFFFD!',
  ];
  const many = Array.from({ length: 2500 }, (_, number) => `many/${String(number).padStart(5, '0')}`);
  const keys = [...odd, ...many, 'zz'];
  await s3.putObject({ Bucket, Key: 'zz', Body: 'hello' });
  const value = await metadata.getObject(Bucket, 'zz', {}, 'test');
  assert.ok(value);
  await Promise.all(keys.map(key => metadata.putObject(Bucket, key, { ...value, key }, {}, 'test')));
  const sorted = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

  await t.test('by continuation token, in pages of any size', async () => {
    for (const pageSize of [1000, 997]) {
      const pages = [];
      for await (const page of paginateListObjectsV2(
        { client: s3, pageSize },
        { Bucket, EncodingType: 'url' },
      )) {
        pages.push(page);
      }
      assert.deepEqual(
        pages.flatMap(({ Contents = [] }) => Contents.map(({ Key = '' }) => decodeURIComponent(Key))),
        sorted,
      );
      assert.deepEqual(
        pages.map(({ KeyCount }) => KeyCount),
        [pageSize, pageSize, keys.length - 2 * pageSize],
      );
      assert.deepEqual(
        pages.map(({ IsTruncated }) => IsTruncated),
        [true, true, false],
      );
    }
  });

  await t.test('by marker, with the last key as the next', async () => {
    assert.deepEqual(await listByMarker(s3, { Prefix: 'many/', MaxKeys: 700 }), [700, 700, 700, 400]);
    assert.deepEqual(await listByMarker(s3, { Prefix: 'many/', MaxKeys: 1250 }), [1000, 1000, 500]);
    assert.deepEqual(await listByMarker(s3, { Prefix: 'many/0000', MaxKeys: 5 }), [5, 5]);
  });

  await t.test('with a delimiter, folders and objects together in pages of three', async () => {
    const expected = [...new Set(sorted.map(key => key.replace(/\/.*/s, '/')))];
    const listed: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await s3.listObjectsV2({
        Bucket,
        Delimiter: '/',
        MaxKeys: 3,
        EncodingType: 'url',
        ContinuationToken,
      });
      const names = [
        ...(page.Contents ?? []).map(({ Key = '' }) => Key),
        ...(page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix),
      ].map(decodeURIComponent);
      assert.ok(names.length <= 3);
      listed.push(...names);
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    assert.deepEqual(new Set(listed), new Set(expected));
    assert.equal(listed.length, expected.length, 'nothing comes twice');
    const first = await s3.listObjects({ Bucket, Delimiter: '/', MaxKeys: 5, EncodingType: 'url' });
    const next = await s3.listObjects({
      Bucket,
      Delimiter: '/',
      EncodingType: 'url',
      Marker: decodeURIComponent(first.NextMarker ?? ''),
    });
    assert.equal(next.IsTruncated, false);
    const count = [first, next].flatMap(page => [...(page.Contents ?? []), ...(page.CommonPrefixes ?? [])]);
    assert.equal(count.length, expected.length);
  });

  await t.test('from a key on, below a prefix, none at all', async () => {
    const { Contents } = await s3.listObjectsV2({ Bucket, StartAfter: 'many/02497', Prefix: 'many/' });
    assert.deepEqual(
      Contents?.map(({ Key }) => Key),
      ['many/02498', 'many/02499'],
    );
    const none = await s3.listObjectsV2({ Bucket, Prefix: 'none' });
    assert.deepEqual([none.KeyCount, none.IsTruncated, none.Contents], [0, false, undefined]);
    const zero = await s3.listObjectsV2({ Bucket, MaxKeys: 0 });
    assert.deepEqual([zero.KeyCount, zero.IsTruncated], [0, false]);
  });

  await t.test('each with what is known of it', async () => {
    const { Contents, Name, Prefix, MaxKeys } = await s3.listObjectsV2({
      Bucket,
      Prefix: 'zz',
      FetchOwner: true,
    });
    assert.deepEqual([Name, Prefix, MaxKeys], [Bucket, 'zz', 1000]);
    assert.deepEqual(Contents, [
      {
        Key: 'zz',
        LastModified: new Date(value['last-modified']),
        ETag: `"${value['content-md5']}"`,
        Size: 5,
        StorageClass: 'STANDARD',
        Owner: { ID: value['owner-id'], DisplayName: 'Bart' },
      },
    ]);
    const { Contents: withoutOwner } = await s3.listObjectsV2({ Bucket, Prefix: 'zz' });
    assert.equal(withoutOwner?.[0]?.Owner, undefined);
    const { Contents: plain = [] } = await s3.listObjectsV2({ Bucket, Prefix: 'x&' });
    assert.equal(plain[0]?.Key, 'x&y<z>"', 'XML is escaped');
    const page = await sendSigned(url, { path: `/${Bucket}`, query: { prefix: 'new' } });
    assert.match(page.body, /<Key>new&#10;line&#13;<\/Key>/);
  });

  await t.test('and not for wrong parameters', async () => {
    for (const query of [
      { 'max-keys': '-1' },
      { 'max-keys': 'ten' },
      { 'max-keys': '' },
      { 'encoding-type': 'xml' },
      { 'list-type': '3' },
      { 'list-type': '2', 'continuation-token': 'bm9uc2Vuc2U' },
    ]) {
      const answer = await sendSigned(url, { path: `/${Bucket}`, query });
      assert.equal(answer.code, 'InvalidArgument', JSON.stringify(query));
    }
    await refused(s3.listObjectsV2({ Bucket: 'missing' }), 'NoSuchBucket', 404);
  });
});

test('an object whose key begins beyond U+FFFF is listed, and keeps its bucket', async t => {
  const { s3 } = await startStack(t);
  const bucket = 'emoji';
  const keys = ['\uffee.txt', '😀.txt', '\u{10fffd}'];
  await s3.createBucket({ Bucket: bucket });
  for (const Key of keys) await s3.putObject({ Bucket: bucket, Key, Body: 'kept' });
  const url = { Bucket: bucket, EncodingType: 'url' } as const;
  const names = (objects: readonly { Key?: string | undefined }[] = []): string[] =>
    objects.map(({ Key = '' }) => decodeURIComponent(Key));
  assert.deepEqual(names((await s3.listObjectsV2(url)).Contents), keys);
  assert.deepEqual(names((await s3.listObjects(url)).Contents), keys);
  assert.deepEqual(names((await s3.listObjectsV2({ ...url, Prefix: '😀' })).Contents), ['😀.txt']);
  for (const Key of keys) {
    await refused(s3.deleteBucket({ Bucket: bucket }), 'BucketNotEmpty', 409);
    await s3.deleteObject({ Bucket: bucket, Key });
  }
  await s3.deleteBucket({ Bucket: bucket });
});

/** The sizes of the pages of a listing, which together hold each key once and in order. */
async function listByMarker(s3: S3, request: { Prefix: string; MaxKeys: number }): Promise<number[]> {
  const sizes: number[] = [];
  let Marker: string | undefined;
  for (;;) {
    const { Contents = [], IsTruncated } = await s3.listObjects({ Bucket, ...request, Marker });
    sizes.push(Contents.length);
    const keys = Contents.map(({ Key = '' }) => Key);
    assert.deepEqual(keys, [...keys].sort());
    assert.ok(Marker === undefined || (keys[0] ?? '') > Marker);
    if (IsTruncated !== true) return sizes;
    Marker = keys.at(-1);
  }
}
