import assert from 'node:assert/strict';
import test from 'node:test';
import { MEMCACHED_SETTINGS, MONGODB_CLIENT_SETTINGS } from './shared-settings.js';
import { shownSettings } from './shown-settings.js';

test('secrets are left out, and users of connection strings', () => {
  const env = {
    MONGODB_URL: 'mongodb://operator:p%40ss@db-1:27017,db-2:27017/admin?authSource=x',
    MEMCACHED_HOSTS: 'cache-1,cache-2:1',
    MEMCACHED_PASSWORD: 'hunter2',
  };
  assert.deepEqual(shownSettings({ ...MONGODB_CLIENT_SETTINGS, ...MEMCACHED_SETTINGS }, env), {
    MONGODB_URL: 'mongodb://db-1:27017,db-2:27017/admin',
    MONGODB_DATABASE: 'zenko',
    MONGODB_TIMEOUT_MS: 4000,
    MONGODB_SOCKET_TIMEOUT_MS: 30_000,
    MEMCACHED_HOSTS: ['cache-1:11211', 'cache-2:1'],
  });
});
