/** What the front writes, against what CloudServer was recorded to write for the same requests. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { ACCOUNT } from '../account.js';
import {
  type BucketAttributes,
  newBucket,
  USERS_BUCKET,
  usersBucketKey,
  usersBucketRange,
  withDeletedFlag,
} from '../bucket-attributes.js';
import type { StoredItem } from '../metadata-client.js';
import { newObjectValue, NO_CONTENT_HEADERS, type ObjectValue } from '../object-value.js';
import { RECORDED, RECORDED_USERS_BUCKET_KEY } from '../testing/recorded-values.js';
import { startStack } from '../testing/s3-stack.js';

/** Members that differ each time, by their name at any depth; blob keys are told by their form. */
const VOLATILE = new Set(['creationDate', 'uid', 'last-modified', 'creation-time']);

/** The same text with volatile members replaced: members must be the same, in the same order. */
function settled(json: string): string {
  return JSON.stringify(
    JSON.parse(json, (name, member: unknown) =>
      VOLATILE.has(name) || (typeof member === 'string' && /^[0-9a-f]{40}$/.test(member)) ? name : member,
    ),
    null,
    1,
  );
}

/** MD5 of recorded objects whose content is not known. */
const RECORDED_MD5 = {
  overwrittenObject: '509ff4bfff30a77103aac34068ea46c7',
  copy: 'dd4ccd868969b9263f3457ddfd9e8209',
} as const;

/** A value as it would be with a content of this MD5. */
function withMd5(value: ObjectValue | undefined, md5: string): string {
  return JSON.stringify(value).replaceAll(String(value?.['content-md5']), md5);
}

function assertRecorded(written: unknown, recorded: string): void {
  assert.equal(settled(typeof written === 'string' ? written : JSON.stringify(written)), settled(recorded));
}

test('buckets and objects are stored as CloudServer stores them, member for member', async t => {
  const { s3, metadata } = await startStack(t);
  const big = Buffer.alloc(3_145_735, 'b');
  /** Without the checksum, of which CloudServer 8 keeps nothing. */
  const readObject = async (key: string) => {
    const value = await metadata.getObject('alpha', key, {}, 'test');
    return value && { ...value, checksum: undefined };
  };

  await t.test('the list of buckets and a bucket', async () => {
    await s3.createBucket({ Bucket: 'alpha' });
    assertRecorded(await metadata.getBucket(USERS_BUCKET, 'test'), RECORDED.usersBucket);
    assertRecorded(await metadata.getBucket('alpha', 'test'), RECORDED.bucket);
    const entries: StoredItem[] = [];
    for await (const entry of metadata.read(USERS_BUCKET, usersBucketRange(ACCOUNT), 'test'))
      entries.push(entry);
    const [entry, second] = entries;
    assert.equal(second, undefined);
    assert.equal(entry?.key, RECORDED_USERS_BUCKET_KEY);
    assertRecorded(entry.value, RECORDED.usersBucketEntry);
  });

  await t.test('an object', async () => {
    const hello = { Bucket: 'alpha', Key: 'hello.txt', Body: 'hello world' };
    await s3.putObject({ ...hello, ContentType: 'text/plain', Metadata: { a: 'b' } });
    assertRecorded(await readObject('hello.txt'), RECORDED.object);
  });

  await t.test('an object without content', async () => {
    await s3.putObject({ Bucket: 'alpha', Key: 'empty', Body: '' });
    assertRecorded(await readObject('empty'), RECORDED.emptyObject);
  });

  await t.test('an object in the place of another', async () => {
    const before = await readObject('hello.txt');
    await s3.putObject({ Bucket: 'alpha', Key: 'hello.txt', Body: 'overwritten' });
    const written = await readObject('hello.txt');
    assert.equal(written?.['creation-time'], before?.['last-modified']);
    assertRecorded(withMd5(written, RECORDED_MD5.overwrittenObject), RECORDED.overwrittenObject);
  });

  await t.test('a copy', async () => {
    await s3.putObject({ Bucket: 'alpha', Key: 'big', Body: big });
    await s3.copyObject({ Bucket: 'alpha', Key: 'copy', CopySource: 'alpha/big' });
    const [source, copy] = [await readObject('big'), await readObject('copy')];
    assert.equal(copy?.['content-md5'], source?.['content-md5']);
    assert.notEqual(copy?.location?.[0]?.key, source?.location?.[0]?.key);
    assert.equal(copy?.['creation-time'], copy?.['last-modified']);
    assertRecorded(withMd5(copy, RECORDED_MD5.copy), RECORDED.copy);
  });

  await t.test('a copy of an object onto itself, and its tags', async () => {
    const blob = (await readObject('hello.txt'))?.location?.[0]?.key;
    await s3.copyObject({
      Bucket: 'alpha',
      Key: 'hello.txt',
      CopySource: 'alpha/hello.txt',
      MetadataDirective: 'REPLACE',
      ContentType: 'application/octet-stream',
      Metadata: { z: '1' },
    });
    const copied = await readObject('hello.txt');
    assert.equal(copied?.location?.[0]?.key, blob, 'the data stays where it is');
    assertRecorded(withMd5(copied, RECORDED_MD5.overwrittenObject), RECORDED.copyOntoItself);

    const Tagging = { TagSet: [{ Key: 'hello', Value: 'world' }] };
    await s3.putObjectTagging({ Bucket: 'alpha', Key: 'hello.txt', Tagging });
    const tagged = await readObject('hello.txt');
    assertRecorded(withMd5(tagged, RECORDED_MD5.overwrittenObject), RECORDED.tagged);
    assert.equal(tagged?.['last-modified'], copied?.['last-modified'], 'tags are no modification');

    await s3.deleteObjectTagging({ Bucket: 'alpha', Key: 'hello.txt' });
    const untagged = await readObject('hello.txt');
    assertRecorded(withMd5(untagged, RECORDED_MD5.overwrittenObject), RECORDED.untagged);
  });
});

test('a bucket on its way in and out has the members of CloudServer', () => {
  assertRecorded(newBucket('alpha', 'us-east-1', ACCOUNT), RECORDED.bucketInTransit);
  const beta = { ...(JSON.parse(RECORDED.bucket) as BucketAttributes), name: 'beta' };
  assertRecorded(withDeletedFlag(beta), RECORDED.bucketOnItsWayOut);
  assert.equal(usersBucketKey(ACCOUNT, 'alpha'), RECORDED_USERS_BUCKET_KEY);
});

test('a delete marker and a null version have the members of CloudServer', () => {
  const common = {
    account: ACCOUNT,
    location: null,
    tags: {},
    dataStoreName: 'us-east-1',
    now: new Date(),
    creationTime: 'x',
  };
  const marker = newObjectValue({
    ...common,
    key: 'k',
    size: 0,
    md5: 'd41d8cd98f00b204e9800998ecf8427e',
    headers: NO_CONTENT_HEADERS,
    originOp: 's3:ObjectRemoved:DeleteMarkerCreated',
    isDeleteMarker: true,
    checksum: undefined,
  });
  assertRecorded(marker, RECORDED.deleteMarker);
  const recorded = JSON.parse(RECORDED.suspendedNull) as { location: { key: string }[] };
  const nullVersion = newObjectValue({
    ...common,
    key: 's',
    size: 5,
    md5: '6ccca4edd2956aaf6ff15790af5b3beb',
    headers: { ...NO_CONTENT_HEADERS, contentType: 'application/octet-stream' },
    location: [
      {
        key: recorded.location[0]?.key ?? '',
        size: 5,
        start: 0,
        dataStoreName: 'file',
        dataStoreETag: '1:6ccca4edd2956aaf6ff15790af5b3beb',
      },
    ],
    originOp: 's3:ObjectCreated:Put',
    creationTime: undefined,
    isDeleteMarker: false,
    isNull: true,
    checksum: undefined,
  });
  assertRecorded(nullVersion, RECORDED.suspendedNull);
});
