/** Tags and copies of objects through AWS's SDK. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Tag } from '@aws-sdk/client-s3';
import { refused } from '../testing/expect-error.js';
import { sendSigned } from '../testing/raw-request.js';
import { startStack } from '../testing/s3-stack.js';
import { assertBlobs } from '../testing/stored-blobs.js';

const Bucket = 'copies';

test('tags and copies', async t => {
  const { s3, url, folder } = await startStack(t, { S3_MAX_OBJECT_BYTES: '1000' });
  await s3.createBucket({ Bucket });
  await s3.createBucket({ Bucket: 'other-bucket' });
  const put = (Key: string, Body: string, more: object = {}) => s3.putObject({ Bucket, Key, Body, ...more });
  const putTags = (Key: string, ...TagSet: Tag[]) =>
    s3.putObjectTagging({ Bucket, Key, Tagging: { TagSet } });
  const tagsOf = async (Key: string, bucket = Bucket): Promise<Record<string, string>> => {
    const { TagSet = [] } = await s3.getObjectTagging({ Bucket: bucket, Key });
    return Object.fromEntries(TagSet.map(({ Key: name = '', Value = '' }) => [name, Value]));
  };
  const read = async (Key: string, bucket = Bucket): Promise<string | undefined> =>
    (await s3.getObject({ Bucket: bucket, Key })).Body?.transformToString();

  await t.test('tags are put, read, replaced and deleted', async () => {
    await put('tagged', 'x', { Tagging: 'a=1&b=zwei+drei&%C3%A9=%2F' });
    assert.deepEqual(await tagsOf('tagged'), { a: '1', b: 'zwei drei', é: '/' });
    const odd = { Key: '__proto__', Value: 'a & b <c>' };
    await refused(putTags('tagged', odd), 'InvalidTag', 400);
    await putTags('tagged', { Key: '__proto__', Value: '' }, { Key: ' 007 ', Value: ' true ' });
    const { TagSet } = await s3.getObjectTagging({ Bucket, Key: 'tagged' });
    assert.deepEqual(TagSet?.map(tag => [tag.Key, tag.Value]).sort(), [
      [' 007 ', ' true '],
      ['__proto__', ''],
    ]);
    await s3.deleteObjectTagging({ Bucket, Key: 'tagged' });
    assert.deepEqual(await tagsOf('tagged'), {});
    await putTags('tagged');
    assert.equal(await read('tagged'), 'x');
  });

  await t.test('tags that S3 would refuse are refused, and change nothing', async () => {
    await putTags('tagged', { Key: 'kept', Value: 'x' });
    const ten = Array.from({ length: 10 }, (_, number) => ({ Key: `k${number}`, Value: '' }));
    for (const [tags, code] of [
      [[...ten, { Key: 'k10', Value: '' }], 'BadRequest'],
      [[{ Key: '', Value: 'x' }], 'InvalidTag'],
      [[{ Key: 'k'.repeat(129), Value: 'x' }], 'InvalidTag'],
      [[{ Key: 'k', Value: 'v'.repeat(257) }], 'InvalidTag'],
      [[{ Key: 'k;', Value: 'x' }], 'InvalidTag'],
      [[{ Key: 'aws:x', Value: 'x' }], 'InvalidTag'],
      [
        [
          { Key: 'k', Value: 'x' },
          { Key: 'k', Value: 'y' },
        ],
        'InvalidTag',
      ],
    ] as const) {
      await refused(putTags('tagged', ...tags), code, 400);
    }
    for (const [header, code] of [
      ['a=1&a=2', 'InvalidTag'],
      ['a=b=c', 'InvalidArgument'],
      ['a=%zz', 'InvalidArgument'],
      ['=1', 'InvalidTag'],
    ]) {
      await refused(put('untagged', 'x', { Tagging: header }), code ?? '', 400);
    }
    await refused(putTags('nope', { Key: 'a', Value: 'b' }), 'NoSuchKey', 404);
    await refused(s3.getObjectTagging({ Bucket, Key: 'nope' }), 'NoSuchKey', 404);
    assert.deepEqual(await tagsOf('tagged'), { kept: 'x' });
    await putTags('tagged', ...ten);
    assert.equal(Object.keys(await tagsOf('tagged')).length, 10);
  });

  await t.test('a copy has what its source has, or what it is given', async () => {
    await put('source with + & é', 'content', {
      ContentType: 'text/plain',
      CacheControl: 'no-cache',
      Metadata: { a: '1' },
      Tagging: 't=1',
    });
    const CopySource = `${Bucket}/${encodeURIComponent('source with + & é')}`;
    await s3.copyObject({ Bucket: 'other-bucket', Key: 'same', CopySource });
    await s3.copyObject({ Bucket, Key: 'slash', CopySource: `/${CopySource}` });
    const same = await s3.headObject({ Bucket: 'other-bucket', Key: 'same' });
    assert.deepEqual(
      [same.ContentType, same.CacheControl, same.Metadata],
      ['text/plain', 'no-cache', { a: '1' }],
    );
    assert.equal(await read('same', 'other-bucket'), 'content');
    assert.deepEqual(await tagsOf('same', 'other-bucket'), { t: '1' });
    const { CopyObjectResult } = await s3.copyObject({
      Bucket,
      Key: 'replaced',
      CopySource,
      MetadataDirective: 'REPLACE',
      ContentType: 'text/html',
      Metadata: { b: '2' },
      TaggingDirective: 'REPLACE',
      Tagging: 'u=2',
    });
    const replaced = await s3.headObject({ Bucket, Key: 'replaced' });
    assert.equal(CopyObjectResult?.ETag, replaced.ETag);
    assert.deepEqual(
      [replaced.ContentType, replaced.CacheControl, replaced.Metadata],
      ['text/html', undefined, { b: '2' }],
    );
    assert.deepEqual(await tagsOf('replaced'), { u: '2' });
    await put('empty', '');
    await s3.copyObject({ Bucket, Key: 'empty copy', CopySource: `${Bucket}/empty` });
    assert.equal(await read('empty copy'), '');
  });

  await t.test('copies that cannot be made are refused by name', async () => {
    const { ETag = '' } = await s3.headObject({ Bucket, Key: 'replaced' });
    const copy = (CopySource: string, more: object = {}) =>
      s3.copyObject({ Bucket, Key: 'never', CopySource, ...more });
    const source = `${Bucket}/replaced`;
    const future = new Date(Date.now() - 3_600_000);
    for (const [call, code, status] of [
      [() => copy(`${Bucket}/nope`), 'NoSuchKey', 404],
      [() => copy('missing-bucket/nope'), 'NoSuchBucket', 404],
      [() => copy('users..bucket/x'), 'InvalidBucketName', 400],
      [() => copy('__metastore/copies'), 'InvalidBucketName', 400],
      [() => copy(Bucket), 'InvalidArgument', 400],
      [() => copy(`${Bucket}/`), 'InvalidArgument', 400],
      [() => copy(`${Bucket}/%zz`), 'InvalidArgument', 400],
      [() => copy(`${Bucket}/a%00b`), 'InvalidArgument', 400],
      [() => copy(`${source}?versionId=abc`), 'InvalidArgument', 400],
      [() => copy(source, { MetadataDirective: 'KEEP' }), 'InvalidArgument', 400],
      [() => copy(source, { CopySourceIfMatch: '"other"' }), 'PreconditionFailed', 412],
      [() => copy(source, { CopySourceIfNoneMatch: ETag }), 'PreconditionFailed', 412],
      [() => copy(source, { CopySourceIfUnmodifiedSince: future }), 'PreconditionFailed', 412],
      [() => copy(source, { ServerSideEncryption: 'AES256' }), 'NotImplemented', 501],
      [() => copy(source, { StorageClass: 'GLACIER' }), 'InvalidStorageClass', 400],
      [() => copy(source, { ACL: 'public-read' }), 'NotImplemented', 501],
      [() => s3.copyObject({ Bucket, Key: 'replaced', CopySource: source }), 'InvalidRequest', 400],
      [() => s3.copyObject({ Bucket: 'missing', Key: 'k', CopySource: source }), 'NoSuchBucket', 404],
    ] as const) {
      await refused(call(), code, status);
    }
    await refused(s3.headObject({ Bucket, Key: 'never' }), 'NotFound', 404);
    await copy(source, { CopySourceIfMatch: ETag });
    await s3.deleteObject({ Bucket, Key: 'never' });
  });

  await t.test('several objects are deleted at once, each answered by name', async () => {
    const listed = (await s3.listObjectsV2({ Bucket })).Contents ?? [];
    const Objects = listed.map(({ Key }) => ({ Key: Key ?? '' }));
    const { Deleted = [], Errors = [] } = await s3.deleteObjects({
      Bucket,
      Delete: {
        Objects: [...Objects, { Key: 'nope' }, { Key: 'old', VersionId: 'v1' }, { Key: 'x'.repeat(916) }],
      },
    });
    assert.deepEqual(new Set(Deleted.map(({ Key }) => Key)), new Set([...Objects.map(o => o.Key), 'nope']));
    assert.deepEqual(
      Errors.map(({ Code, VersionId }) => [Code, VersionId]),
      [
        ['InvalidArgument', 'v1'],
        ['KeyTooLongError', undefined],
      ],
    );
    await put('quiet', 'x');
    const quiet = await s3.deleteObjects({ Bucket, Delete: { Objects: [{ Key: 'quiet' }], Quiet: true } });
    assert.deepEqual([quiet.Deleted, quiet.Errors], [undefined, undefined]);
    await s3.deleteObject({ Bucket: 'other-bucket', Key: 'same' });
    await assertBlobs(folder, []);
  });

  await t.test('a deletion that is not well-formed deletes nothing', async () => {
    await put('kept', 'x');
    const object = '<Object><Key>kept</Key></Object>';
    for (const [body, code] of [
      ['', 'MalformedXML'],
      ['<Delete></Delete>', 'MalformedXML'],
      [`<Delete>${object}`, 'MalformedXML'],
      [`<Remove>${object}</Remove>`, 'MalformedXML'],
      [`<Delete>${object}<Object></Object></Delete>`, 'MalformedXML'],
      [`<Delete>${object}<Object><Key>a</Key><Key>b</Key></Object></Delete>`, 'MalformedXML'],
      [`<Delete>${object}<Object><Key></Key></Object></Delete>`, 'MalformedXML'],
      [`<Delete>${object.repeat(1001)}</Delete>`, 'MalformedXML'],
      [`<Delete>${object.replace('</Object>', '<Size>1</Size></Object>')}</Delete>`, 'NotImplemented'],
      [`<Delete>${' '.repeat(2_100_000)}${object}</Delete>`, 'MaxMessageLengthExceeded'],
    ] as const) {
      const answer = await sendSigned(url, {
        method: 'POST',
        path: `/${Bucket}`,
        query: { delete: '' },
        headers: { 'content-length': String(body.length) },
        body,
      });
      assert.equal(answer.code, code, body.slice(0, 80));
    }
    assert.equal(await read('kept'), 'x');
    const nul = '<Delete><Object><Key>kept\0</Key></Object></Delete>';
    const answer = await sendSigned(url, {
      method: 'POST',
      path: `/${Bucket}`,
      query: { delete: '' },
      headers: { 'content-length': String(nul.length) },
      body: nul,
    });
    assert.equal(answer.code, 'InvalidArgument', 'a key must not reach into the versions of another');
  });
});
