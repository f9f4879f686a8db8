import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { DEFAULT_ACCOUNT, parseAccounts } from '@zenko-modules/common/accounts';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { writeNewAccounts } from './new-accounts.js';

test('new accounts have what CloudServer wants of them, and keys of their own', async t => {
  const folder = await temporaryFolder(t);
  const [one, other] = [path.join(folder, 'one.json'), path.join(folder, 'other.json')];
  const printed = await writeNewAccounts({ file: one });
  await writeNewAccounts({ file: other, access: 'mine', secret: 'my secret', canonicalId: 'abc' });
  const text = await readFile(one, 'utf8');
  const accounts = parseAccounts('one', text);
  assert.deepEqual(
    accounts.map(({ name }) => name),
    ['Bart', 'service-replication'],
  );
  const [owner] = accounts;
  assert.equal(owner?.canonicalID, DEFAULT_ACCOUNT.canonicalID);
  for (const field of ['name', 'email', 'arn', 'canonicalID', 'shortid'] as const) {
    const values = accounts.map(account => String(account[field]));
    assert.equal(new Set(values).size, accounts.length, `${field} is each account's own`);
  }
  for (const { arn, shortid, email } of accounts) {
    assert.match(String(shortid), /^\d{12}$/);
    assert.equal(arn, `arn:aws:iam::${String(shortid)}:root`);
    assert.match(String(email), /^[a-z-]+@example\.com$/);
  }
  const secrets = accounts.flatMap(({ keys }) => keys.map(({ secret }) => secret));
  assert.ok(secrets.every(secret => secret.length === 40 && !printed.includes(secret)));
  assert.equal((await stat(one)).mode & 0o077, 0);
  const [mine] = parseAccounts('other', await readFile(other, 'utf8'));
  assert.deepEqual(mine?.keys, [{ access: 'mine', secret: 'my secret' }]);
  assert.equal(mine.canonicalID, 'abc');
  await assert.rejects(writeNewAccounts({ file: one }), /one\.json is there already/);
  assert.equal(await readFile(one, 'utf8'), text);
});
