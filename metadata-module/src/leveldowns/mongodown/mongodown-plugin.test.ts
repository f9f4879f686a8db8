import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings, type Environment } from '@zenko-modules/common/settings';
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
