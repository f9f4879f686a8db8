import assert from 'node:assert/strict';
import test from 'node:test';
import { nameMongoError } from './gridfs-errors.js';

test('what the driver hands on of a socket means that MongoDB is away, other errors of the system do not', () => {
  const reset = Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET' });
  assert.equal(nameMongoError(reset).type, 'ServiceUnavailable');
  assert.equal(nameMongoError(reset).cause, reset);
  assert.equal(
    nameMongoError(Object.assign(new Error('no such file'), { code: 'ENOENT' })).type,
    'InternalError',
  );
});
