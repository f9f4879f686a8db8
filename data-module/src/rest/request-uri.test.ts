import assert from 'node:assert/strict';
import test from 'node:test';
import { type ErrorType, isErrorType } from '@zenko-modules/common/errors';
import { parseTarget } from './request-uri.js';

test('the paths of the interface are told apart', () => {
  assert.deepEqual(parseTarget('/DataFile'), { kind: 'service' });
  assert.deepEqual(parseTarget('/DataFile/'), { kind: 'service' });
  assert.deepEqual(parseTarget('/DataFile?diskUsage'), { kind: 'diskUsage' });
  assert.deepEqual(parseTarget('/DataFile/?diskUsage'), { kind: 'diskUsage' });
  assert.deepEqual(parseTarget('/DataFile?delete'), { kind: 'delete' });
  assert.deepEqual(parseTarget('/DataFile/0af9'), { kind: 'blob', key: '0af9' });
});

test('a whole URL names what its path names', () => {
  assert.deepEqual(parseTarget('http://host:9991/DataFile'), { kind: 'service' });
  assert.deepEqual(parseTarget('http://host/DataFile?diskUsage'), { kind: 'diskUsage' });
  assert.deepEqual(parseTarget('http://host/DataFile/ab'), { kind: 'blob', key: 'ab' });
});

const REFUSED: Readonly<Record<string, ErrorType>> = {
  '': 'InvalidURI',
  '/': 'InvalidURI',
  '/?diskUsage': 'InvalidURI',
  '*': 'InvalidURI',
  'http://host': 'InvalidURI',
  'http://host/DataFile/AB': 'InvalidURI',
  'http://host/http://host/DataFile': 'InvalidAction',
  'http:///DataFile': 'InvalidURI',
  'ftp://host/DataFile': 'InvalidURI',
  '/datafile/ab': 'InvalidAction',
  '/DataFiles': 'InvalidAction',
  '//DataFile': 'InvalidAction',
  '/..': 'InvalidAction',
  '/DataFile/AB': 'InvalidURI',
  '/DataFile/ab/': 'InvalidURI',
  '/DataFile//ab': 'InvalidURI',
  '/DataFile/..': 'InvalidURI',
  '/DataFile/../DataFile/ab': 'InvalidURI',
  '/DataFile/%61b': 'InvalidURI',
  '/DataFile/%2e%2e': 'InvalidURI',
  '/DataFile/%zz': 'InvalidURI',
  '/DataFile/%00': 'InvalidURI',
  '/DataFile/ab#': 'InvalidURI',
  '/DataFile/ab?diskUsage': 'InvalidURI',
  '/DataFile?': 'InvalidURI',
  '/DataFile?diskUsage=1': 'InvalidURI',
  '/DataFile?delete=': 'InvalidURI',
  '/DataFile/ab?delete': 'InvalidURI',
  '/DataFile?foo': 'InvalidURI',
};

test('every other path gets a named error', () => {
  for (const [url, type] of Object.entries(REFUSED)) {
    assert.throws(
      () => parseTarget(url),
      err => isErrorType(err, type),
      `${url}: ${type}`,
    );
  }
});
