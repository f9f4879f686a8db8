import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { mongodbMissing, startMongodb } from '@zenko-modules/common/testing/mongodb-server';
import { closeLevel, openLevel } from '../leveldowns/level-calls.js';
import { loadLevelDown } from '../leveldowns/registry.js';
import { assertCopied, filledFolder, levelAt, newFolder, runCopy } from './testing/stores.js';

test('into MongoDB, whose password is not shown', { skip: mongodbMissing }, async t => {
  const url = await startMongodb(t);
  const source = await filledFolder(t, 500);
  const env = { MONGODB_DATABASE: 'copy' };
  const result = await runCopy(t, `leveldown:${source}`, `mongodown:${url}`, env);
  assert.equal(result.code, 0, result.stderr);
  const plugin = await loadLevelDown('mongodown');
  const settings = readSettings(plugin.settings, { ...env, MONGODB_URL: url });
  const log = silentLogger();
  const target = await plugin.create({ settings, folder: await newFolder(t, 'unused'), log });
  await assertCopied(levelAt(source), target);
  const wrong = await runCopy(t, `leveldown:${source}`, 'mongodown:mongodb://user:secret@127.0.0.1:1', {
    MONGODB_TIMEOUT_MS: '500',
  });
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /^metadata:copy: --to: /);
  assert.doesNotMatch(wrong.stderr + wrong.stdout, /secret/);
});

test(
  'a store that a module has open is told of, also where modules wait for it',
  { skip: mongodbMissing },
  async t => {
    const url = await startMongodb(t);
    const source = await filledFolder(t, 10);
    const env = { MONGODB_DATABASE: 'used', MONGODB_URL: url };
    const plugin = await loadLevelDown('mongodown');
    const settings = readSettings(plugin.settings, env);
    const owner = await plugin.create({
      settings,
      folder: await newFolder(t, 'unused'),
      log: silentLogger(),
    });
    await openLevel(owner, { createIfMissing: true });
    t.after(() => closeLevel(owner));
    const result = await runCopy(t, `leveldown:${source}`, 'mongodown', { ...env, MONGODB_IN_USE: 'wait' });
    assert.equal(result.code, 1);
    assert.match(result.stderr, /^metadata:copy: --to: .*is in use by process \d+ on \S+: stop it first$/m);
    assert.doesNotMatch(result.stderr, /MONGODB_IN_USE/);
  },
);
