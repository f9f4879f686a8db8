import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { DEFAULT_ACCOUNT } from '@zenko-modules/common/accounts';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { refused } from '../testing/expect-error.js';
import { startStack } from '../testing/s3-stack.js';

const account = (name: string, ...keys: string[]) => ({
  name,
  keys: keys.map(key => ({ access: key, secret: `secret of ${key}` })),
});

test('with a file of accounts each of their keys signs, for one owner, and a changed file counts at once', async t => {
  const file = path.join(await temporaryFolder(t), 'authdata.json');
  const write = (...accounts: object[]): Promise<void> => writeFile(file, JSON.stringify({ accounts }));
  await write(account('Bart', 'one', 'two'), account('service-replication', 'three'));
  const { client } = await startStack(t, { S3AUTH_CONFIG: file });
  const s3 = (key: string) =>
    client({ credentials: { accessKeyId: key, secretAccessKey: `secret of ${key}` } });
  await s3('one').createBucket({ Bucket: 'greetings' });
  for (const key of ['one', 'two', 'three']) {
    await s3(key).putObject({ Bucket: 'greetings', Key: key, Body: key });
    const { Owner } = await s3(key).listBuckets({});
    assert.equal(Owner?.ID, DEFAULT_ACCOUNT.canonicalID);
  }
  await assert.rejects(s3('accessKey1').listBuckets({}), { name: 'InvalidAccessKeyId' });
  await write(account('Bart', 'four'));
  await s3('four').getObject({ Bucket: 'greetings', Key: 'three' });
  await assert.rejects(s3('one').listBuckets({}), { name: 'InvalidAccessKeyId' });
});

test('accounts with ids have buckets of their own, and reach none of the others', async t => {
  const file = path.join(await temporaryFolder(t), 'authdata.json');
  const owner = (name: string, digit: string) => ({
    ...account(name, name),
    canonicalID: digit.repeat(64),
    shortid: digit.repeat(12),
  });
  const service = {
    ...account('service-replication', 'service'),
    canonicalID: 'http://acs.zenko.io/accounts/service/replication',
    shortid: '123456789013',
  };
  await writeFile(file, JSON.stringify({ accounts: [owner('lisa', '1'), owner('homer', '2'), service] }));
  const { client } = await startStack(t, { S3AUTH_CONFIG: file });
  const as = (key: string) =>
    client({ credentials: { accessKeyId: key, secretAccessKey: `secret of ${key}` } });
  const [lisa, homer] = [as('lisa'), as('homer')];
  await lisa.createBucket({ Bucket: 'of-lisa' });
  await lisa.putObject({ Bucket: 'of-lisa', Key: 'k', Body: 'body' });
  await homer.createBucket({ Bucket: 'of-homer' });
  const names = async (s3: typeof lisa) => (await s3.listBuckets({})).Buckets?.map(({ Name }) => Name);
  assert.deepEqual([await names(lisa), await names(homer)], [['of-lisa'], ['of-homer']]);
  const at = { Bucket: 'of-lisa', Key: 'k' };
  await refused(homer.getObject(at), 'AccessDenied', 403);
  await refused(homer.putObject({ ...at, Body: 'x' }), 'AccessDenied', 403);
  await refused(homer.deleteObject(at), 'AccessDenied', 403);
  await refused(homer.createMultipartUpload(at), 'AccessDenied', 403);
  const copy = { Bucket: 'of-homer', Key: 'k', CopySource: 'of-lisa/k' };
  await refused(homer.copyObject(copy), 'AccessDenied', 403);
  await refused(homer.createBucket({ Bucket: 'of-lisa' }), 'BucketAlreadyExists', 409);
  const { Owner } = await lisa.getBucketAcl({ Bucket: 'of-lisa' });
  assert.deepEqual(Owner, { ID: '1'.repeat(64), DisplayName: 'lisa' });
  assert.equal((await as('service').listBuckets({})).Owner?.ID, DEFAULT_ACCOUNT.canonicalID);
});
