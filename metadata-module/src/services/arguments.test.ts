import assert from 'node:assert/strict';
import test from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { checkGetOptions, checkKey, checkPutOptions } from './arguments.js';

const refused = (err: unknown): boolean => isErrorType(err, 'InvalidArgument');

test('a key is text of at most 16 KiB in UTF-8', () => {
  for (const key of ['k', 'é', '試', '\u{1f600}', 'x'.repeat(16_384), '試'.repeat(5461), 'x'.repeat(5462)]) {
    assert.equal(checkKey(key), key);
  }
  const others = [
    '',
    '\0',
    'a\0b',
    '\ud800',
    'a\udc00b',
    'x'.repeat(16_385),
    '試'.repeat(5462),
    1,
    null,
    undefined,
    ['k'],
  ];
  for (const other of others) assert.throws(() => checkKey(other), refused, JSON.stringify(other));
});

test('options of a put are off unless they are given, and versioning is on unless it is false', () => {
  const off = { versioning: false, versionId: undefined, isNull: undefined, deleteNullKey: false };
  for (const [given, checked] of [
    [undefined, off],
    [null, off],
    [{}, off],
    [{ unknown: 1 }, off],
    [{ versioning: true }, { ...off, versioning: true }],
    [{ versioning: '' }, { ...off, versioning: true }],
    [{ versioning: false }, off],
    [
      { versioning: true, versionId: 'v' },
      { ...off, versioning: true, versionId: 'v' },
    ],
    [
      { versioning: true, deleteNullKey: true },
      { ...off, versioning: true, deleteNullKey: true },
    ],
  ] as const) {
    assert.deepEqual({ ...off, ...checkPutOptions(given) }, checked, JSON.stringify(given));
  }
  for (const other of ['text', 1, false, [], [1], { versioning: [] }, { versioning: true, versionId: 1 }]) {
    assert.throws(() => checkPutOptions(other), refused, JSON.stringify(other));
  }
});

test('options of a get may name a version', () => {
  for (const nothing of [undefined, null, {}, { versionId: null }]) {
    assert.equal(checkGetOptions(nothing).versionId, undefined);
  }
  assert.equal(checkGetOptions({ versionId: 'v' }).versionId, 'v');
  for (const other of ['text', 0, [], { versionId: 1 }]) assert.throws(() => checkGetOptions(other), refused);
});
