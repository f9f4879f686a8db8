import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { type Environment, readSettings } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { failureKind } from '../processor/failures.js';
import { createS3Client } from '../s3/s3-client.js';
import { CONFIG_SETTINGS, KAFKA_SETTINGS } from '../extension-settings.js';
import { readConfiguration } from './backbeat-config.js';
import { type Credentials, credentialsOf } from './service-accounts.js';

const ACCOUNTS = JSON.stringify({
  accounts: [
    { name: 'Bart', keys: [{ access: 'A1', secret: 'S1' }] },
    { name: 'service-hello', keys: [{ access: 'A2', secret: 'S2' }] },
  ],
});
const REPLICATION = {
  EXTENSIONS_REPLICATION_SOURCE_AUTH_TYPE: 'service',
  EXTENSIONS_REPLICATION_SOURCE_AUTH_ACCOUNT: 'service-hello',
};

function credentials(env: Environment, auth?: { type: 'service'; account: string }): Credentials {
  const settings = readSettings({ ...CONFIG_SETTINGS, ...KAFKA_SETTINGS }, env);
  return credentialsOf(auth, readConfiguration(settings, env, []).config, settings);
}

const access = async (of: Credentials): Promise<string> => (await of.current()).accessKeyId;

test('without an account the keys of the environment sign', async () => {
  assert.equal(await access(credentials({})), 'accessKey1');
  const own = await credentials({ S3_ACCESS_KEY: 'k', S3_SECRET_KEY: 's' }).current();
  assert.deepEqual(own, { accessKeyId: 'k', secretAccessKey: 's' });
});

test('an extension signs as its own account, else as that of replication', async () => {
  const env = { SERVICE_ACCOUNTS: ACCOUNTS, ...REPLICATION };
  assert.equal(await access(credentials(env, { type: 'service', account: 'Bart' })), 'A1');
  assert.equal(await access(credentials(env)), 'A2');
});

test('without a file of accounts, an account signs with the keys of the environment, and says so', async () => {
  const found = credentials(REPLICATION);
  assert.equal(await access(found), 'accessKey1');
  assert.match(found.source, /SERVICE_ACCOUNTS_FILE is not set/);
});

test('the accounts come from a file, and secrets never stand in messages', async t => {
  const file = path.join(await temporaryFolder(t), 'authdata.json');
  await writeFile(file, ACCOUNTS);
  const found = credentials({ SERVICE_ACCOUNTS_FILE: file, ...REPLICATION });
  assert.deepEqual(await found.current(), { accessKeyId: 'A2', secretAccessKey: 'S2' });
  const unknown = { type: 'service', account: 'nobody' } as const;
  assert.throws(
    () => credentials({ SERVICE_ACCOUNTS_FILE: file }, unknown),
    /no account "nobody": it has Bart, service-hello/,
  );
  const wrong = '{"accounts":[{"name":"Bart","keys":[{"access":"A1","secret":"topsecret"}}';
  assert.throws(
    () => credentials({ SERVICE_ACCOUNTS: wrong, ...REPLICATION }),
    (err: Error) => /SERVICE_ACCOUNTS: is no JSON/.test(err.message) && !err.message.includes('topsecret'),
  );
  assert.throws(
    () => credentials({ SERVICE_ACCOUNTS: '{"accounts":[{"name":"B"}]}', ...REPLICATION }),
    /accounts\.0\.keys/,
  );
});

test('an account is read again when its file has changed, and waited for while it cannot be', async t => {
  const file = path.join(await temporaryFolder(t), 'authdata.json');
  await writeFile(file, ACCOUNTS);
  const found = credentials({ SERVICE_ACCOUNTS_FILE: file, ...REPLICATION });
  assert.equal(await access(found), 'A2');
  await writeFile(file, ACCOUNTS.replace('A2', 'A22'));
  assert.equal(await access(found), 'A22');
  const isWaitedFor = (err: unknown): boolean => failureKind(err) === 'credentials';
  for (const content of ['', ACCOUNTS.replace('service-hello', 'other')]) {
    await writeFile(file, content);
    await assert.rejects(access(found), isWaitedFor);
  }
  await writeFile(file, ACCOUNTS);
  assert.equal(await access(found), 'A2');
});

test('an S3 client signs with what the file says at the moment of the request', async t => {
  const keys: string[] = [];
  const server = createServer((request, response) => {
    keys.push(/Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1] ?? '');
    response.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const file = path.join(await temporaryFolder(t), 'authdata.json');
  await writeFile(file, ACCOUNTS);
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = createS3Client({
    endpoint,
    credentials: credentials({ SERVICE_ACCOUNTS_FILE: file, ...REPLICATION }),
  });
  t.after(() => client.destroy());
  for (const key of ['A2', 'A33', 'A444']) {
    await writeFile(file, ACCOUNTS.replace('A2', key));
    await client.send(new HeadBucketCommand({ Bucket: 'b' }));
  }
  assert.deepEqual(keys, ['A2', 'A33', 'A444']);
});
