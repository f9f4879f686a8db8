import assert from 'node:assert/strict';
import test from 'node:test';
import { isTransient } from './errors.js';

test('what the driver hands on of a socket passes by itself, other errors of the system do not', () => {
  assert.ok(isTransient(Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET' })));
  assert.ok(!isTransient(Object.assign(new Error('no such file'), { code: 'ENOENT' })));
});
