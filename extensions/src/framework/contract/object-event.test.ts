import assert from 'node:assert/strict';
import test from 'node:test';
import { describeObject, encodeVersionId, isSystemDatabase } from './object-event.js';
import type { LogEntry } from './queue-populator-extension.js';

const V = '98204703444340999999RG001  1';
const entry = (key: string, value: object | string, more: Partial<LogEntry> = {}): LogEntry => ({
  type: 'put',
  bucket: 'photos',
  key,
  value: typeof value === 'string' ? value : JSON.stringify(value),
  timestamp: '2026-01-01T00:00:00.000Z',
  ...more,
});

const cases: [string, LogEntry, { objectKey: string; versionId: string | undefined } | undefined][] = [
  ['an object without versions', entry('a', {}), { objectKey: 'a', versionId: undefined }],
  [
    'the version key of a version',
    entry(`a\0${V}`, { versionId: V }),
    { objectKey: 'a', versionId: encodeVersionId(V) },
  ],
  ['the master of a version, told already', entry('a', { versionId: V }), undefined],
  [
    'the current null version',
    entry('a', { versionId: V, isNull: true }),
    { objectKey: 'a', versionId: 'null' },
  ],
  [
    'a null version that moves out of the way',
    entry('a\0', { versionId: V, isNull: true, originOp: 's3:ObjectCreated:Put' }),
    undefined,
  ],
  [
    'a tag on a null version that is not current',
    entry('a\0', { versionId: V, isNull: true, originOp: 's3:ObjectTagging:Put' }),
    { objectKey: 'a', versionId: 'null' },
  ],
  ['a deletion', entry('a', {}, { type: 'del', value: undefined }), undefined],
  ['a delete marker', entry(`a\0${V}`, { versionId: V, isDeleteMarker: true }), undefined],
  ['a place holder', entry('a', { versionId: V, isPHD: true }), undefined],
  [
    'members that say false',
    entry('a', { isPHD: false, isDeleteMarker: false }),
    { objectKey: 'a', versionId: undefined },
  ],
  ['the list of buckets', entry('x..|..a', {}, { bucket: 'users..bucket' }), undefined],
  ['a part of an upload', entry('a', {}, { bucket: 'mpuShadowBucketphotos' }), undefined],
  ['the attributes of a bucket', entry('photos', {}, { bucket: '__metastore' }), undefined],
];

for (const [title, given, expected] of cases) {
  test(`event of ${title}: ${expected ? 'one' : 'none'}`, () => {
    const found = describeObject(given);
    assert.deepEqual(found && { objectKey: found.objectKey, versionId: found.versionId }, expected);
  });
}

test('one put in a bucket with versions, whose master and version key are both logged, is one event', () => {
  const value = { versionId: V, originOp: 's3:ObjectCreated:Put' };
  const events = [entry('a', value), entry(`a\0${V}`, value)].map(describeObject).filter(Boolean);
  assert.equal(events.length, 1);
});

test('a value that is no JSON object is refused', () => {
  for (const value of ['', 'no json', '[]', 'null', '5'])
    assert.throws(() => describeObject(entry('a', value)), { name: 'PermanentError' });
  assert.throws(() => describeObject(entry('a', {}, { value: undefined })), { name: 'PermanentError' });
});

test('buckets of clients are told from databases of CloudServer', () => {
  for (const name of ['photos', 'my.bucket', 'a-b', 'mpu', 'users'])
    assert.equal(isSystemDatabase(name), false, name);
  for (const name of ['__metastore', '__usersbucket', 'users..bucket', 'mpuShadowBucketa', '..recordLogs']) {
    assert.equal(isSystemDatabase(name), true, name);
  }
});
