import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { DEFAULT_ACCOUNT } from '@zenko-modules/common/accounts';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
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
