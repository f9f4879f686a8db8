import assert from 'node:assert/strict';
import test from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { parseRange } from './range.js';

const SATISFIED: readonly (readonly [header: string, size: number, start: number, end: number])[] = [
  ['bytes=0-0', 1, 0, 0],
  ['bytes=0-9', 10, 0, 9],
  ['bytes=3-', 10, 3, 9],
  ['bytes=9-9', 10, 9, 9],
  ['bytes=5-100', 10, 5, 9],
  ['bytes=5-99999999999999999999999', 10, 5, 9],
  ['bytes=-1', 10, 9, 9],
  ['bytes=-10', 10, 0, 9],
  ['bytes=-11', 10, 0, 9],
  ['bytes=007-008', 10, 7, 8],
  [' bytes=1-2 ', 10, 1, 2],
];
const IGNORED = [
  '',
  'bytes',
  'bytes=',
  'bytes=-',
  'bytes=2-1',
  'bytes=0-1,3-4',
  'lines=0-1',
  'bytes=a-b',
  'bytes=1-2x',
];
const IGNORED_TOO = [
  'bytes=--1',
  'bytes=1.5-2',
  'bytes=0x1-2',
  'Bytes=1-2\0',
  'bytes=1 -2',
  'bytes=1-2-3',
  'bytes=٣-٤',
];
const REFUSED = [
  ['bytes=10-', 10],
  ['bytes=10-20', 10],
  ['bytes=-0', 10],
  ['bytes=0-', 0],
  ['bytes=0-0', 0],
  ['bytes=-5', 0],
] as const;

test('a range within the blob is taken, its end cut to the size', () => {
  for (const [header, size, start, end] of SATISFIED)
    assert.deepEqual(parseRange(header, size), { start, end }, header);
});

test('a range that cannot be parsed is ignored', () => {
  assert.equal(parseRange(undefined, 10), undefined);
  for (const header of [...IGNORED, ...IGNORED_TOO]) assert.equal(parseRange(header, 10), undefined, header);
});

test('a range that starts past the end is InvalidRange', () => {
  for (const [header, size] of REFUSED) {
    assert.throws(
      () => parseRange(header, size),
      err => isErrorType(err, 'InvalidRange'),
      `${header} of ${size}`,
    );
  }
});
