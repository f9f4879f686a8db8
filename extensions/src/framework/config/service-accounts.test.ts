import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { type Environment, readSettings } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
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

test('without an account the keys of the environment sign', () => {
  assert.equal(credentials({}).accessKeyId, 'accessKey1');
  assert.equal(credentials({ S3_ACCESS_KEY: 'k', S3_SECRET_KEY: 's' }).secretAccessKey, 's');
});

test('an extension signs as its own account, else as that of replication', () => {
  const env = { SERVICE_ACCOUNTS: ACCOUNTS, ...REPLICATION };
  assert.equal(credentials(env, { type: 'service', account: 'Bart' }).accessKeyId, 'A1');
  assert.equal(credentials(env).accessKeyId, 'A2');
});

test('without a file of accounts, an account signs with the keys of the environment, and says so', () => {
  const found = credentials(REPLICATION);
  assert.equal(found.accessKeyId, 'accessKey1');
  assert.match(found.source, /SERVICE_ACCOUNTS_FILE is not set/);
});

test('the accounts come from a file, and secrets never stand in messages', async t => {
  const file = path.join(await temporaryFolder(t), 'authdata.json');
  await writeFile(file, ACCOUNTS);
  assert.equal(credentials({ SERVICE_ACCOUNTS_FILE: file, ...REPLICATION }).secretAccessKey, 'S2');
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
