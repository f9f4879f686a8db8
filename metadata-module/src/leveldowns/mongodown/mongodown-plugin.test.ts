import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { withDeadline } from '@zenko-modules/common/deadline';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings, type Environment } from '@zenko-modules/common/settings';
import { spawnDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { freePort } from '@zenko-modules/common/testing/test-server';
import { mongodownPlugin } from './mongodown-plugin.js';
import { MongoDown } from './mongodown.js';

const create = (env: Environment): MongoDown =>
  mongodownPlugin.create({
    settings: readSettings(mongodownPlugin.settings, env),
    folder: '/',
    log: silentLogger(),
  });

test('it needs MONGODB_URL, and nothing else', () => {
  assert.throws(() => create({}), {
    name: 'StartError',
    message: /^MONGODB_URL: METADATA_BACKEND=mongodown needs/,
  });
  assert.ok(create({ MONGODB_URL: 'mongodb://127.0.0.1:1' }) instanceof MongoDown);
});

test('a URL that the driver does not take is refused, and its password is not shown', () => {
  const urls = [
    'http://user:secret@host',
    'mongodb://user:secret@',
    'mongodb://user:sec%ret@host/?w=x',
    'mongodb://user:secret@host/?colour=red',
  ];
  for (const MONGODB_URL of urls) {
    assert.throws(
      () => create({ MONGODB_URL }),
      err =>
        err instanceof Error &&
        err.name === 'StartError' &&
        err.message.startsWith('MONGODB_URL: ') &&
        !/sec%?ret/.test(err.message),
    );
  }
});

test('settings that are not accepted are named, with what is', () => {
  assert.throws(
    () => create({ MONGODB_URL: 'mongodb://h', MONGODB_LEASE_MS: 'long', MONGODB_READ_PREFERENCE: 'some' }),
    {
      message:
        /MONGODB_READ_PREFERENCE: "some" is not accepted.*; MONGODB_LEASE_MS: "long" is not accepted: expected a whole number/,
    },
  );
});

test('a module that waits for its server ends when it is told to, and that is no failure', async t => {
  const { child, output, exited, printed } = spawnDaemon(t, {
    entry: fileURLToPath(new URL('../../main.js', import.meta.url)),
    env: {
      METADATA_BACKEND: 'mongodown',
      MONGODB_URL: `mongodb://127.0.0.1:${await freePort()}`,
      MONGODB_IN_USE: 'wait',
      MONGODB_TIMEOUT_MS: '500',
      DATA_DIR: await temporaryFolder(t),
      METADATA_PORT: '0',
      METADATA_PROBE_PORT: '0',
      // Far beyond the deadline here: it is not this that ends the module.
      STOP_GRACE_MS: '600000',
    },
  });
  await withDeadline(printed(/MongoDB/), 60_000, 'word of the wait');
  child.kill('SIGTERM');
  const { code } = await withDeadline(exited, 60_000, 'the stop');
  assert.equal(code, 0, output());
});
