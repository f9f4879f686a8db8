import assert from 'node:assert/strict';
import { rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { AccountsFile, parseAccounts } from './accounts.js';
import { temporaryFolder } from './testing/temporary-folder.js';

const content = (access: string): string =>
  JSON.stringify({ accounts: [{ name: 'a', keys: [{ access, secret: 'topsecret' }] }] });

test('accounts are read again when their file has changed, was replaced, or is mended', async t => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'authdata.json');
  await writeFile(file, content('first'));
  const accounts = new AccountsFile(file, 'ACCOUNTS');
  const access = async (): Promise<string | undefined> => (await accounts.accounts())[0]?.keys[0]?.access;
  assert.equal(await access(), 'first');
  await writeFile(file, content('other'));
  assert.equal(await access(), 'other');
  // As a mounted secret is replaced: by another link.
  await writeFile(path.join(folder, 'new'), content('third'));
  await symlink('new', path.join(folder, 'link'));
  await rename(path.join(folder, 'link'), file);
  assert.equal(await access(), 'third');
  await writeFile(path.join(folder, 'new'), '{"accounts":');
  await assert.rejects(access(), /ACCOUNTS: is no JSON/);
  await writeFile(path.join(folder, 'new'), content('fourth'));
  assert.equal(await access(), 'fourth');
  await rm(file);
  await assert.rejects(access(), { code: 'ENOENT' });
});

test('what is wrong in accounts is named, and no secret shown', () => {
  const refused = (text: string, message: RegExp): void =>
    assert.throws(
      () => parseAccounts('ACCOUNTS', text),
      (err: Error) => message.test(err.message) && !err.message.includes('topsecret'),
    );
  refused('{"accounts":[{"keys":[{"secret":"topsecret"', /ACCOUNTS: is no JSON/);
  refused('{}', /ACCOUNTS: accounts:/);
  refused('{"accounts":[{"name":"a","keys":[{"secret":"topsecret"}]}]}', /accounts\.0\.keys\.0\.access/);
  refused('{"accounts":[{"name":"a","keys":[]}]}', /accounts\.0\.keys/);
});
