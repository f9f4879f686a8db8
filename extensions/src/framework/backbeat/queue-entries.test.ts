import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeVersionId } from '../contract/object-event.js';
import { DeleteOpQueueEntry, ObjectQueueEntry, QueueEntry } from './queue-entries.js';

const V = '98204703444340999999RG001  1';
const value = {
  versionId: V,
  tags: { a: 'b' },
  'content-md5': 'c0ffee',
  'content-length': 7,
  'x-amz-meta-own': 'x',
  originOp: 's3:ObjectCreated:Put',
  location: [{ key: 'k', size: 7 }],
};

test('a version in a message is told by the getters', () => {
  const message = { type: 'put', bucket: 'photos', key: `a/b\0${V}`, value: JSON.stringify(value) };
  for (const text of [JSON.stringify(message), Buffer.from(JSON.stringify(message))]) {
    const entry = QueueEntry.createFromKafkaEntry({ value: text });
    assert.ok(entry instanceof ObjectQueueEntry);
    assert.equal(entry.getBucket(), 'photos');
    assert.equal(entry.getObjectKey(), 'a/b');
    assert.equal(entry.getObjectVersionedKey(), `a/b\0${V}`);
    assert.equal(entry.getCanonicalKey(), 'photos/a/b');
    assert.equal(entry.isVersion(), true);
    assert.equal(entry.getVersionId(), V);
    assert.equal(entry.getEncodedVersionId(), encodeVersionId(V));
    assert.deepEqual(entry.getTags(), { a: 'b' });
    assert.equal(entry.getContentMd5(), 'c0ffee');
    assert.equal(entry.getContentLength(), 7);
    assert.deepEqual(entry.getUserMetadata(), { 'x-amz-meta-own': 'x' });
    assert.equal(entry.getOriginOp(), 's3:ObjectCreated:Put');
    assert.deepEqual(entry.getLocation(), value.location);
    assert.equal(entry.isDeleteMarker(), false);
    assert.deepEqual(entry.getValue(), value);
    assert.deepEqual(entry.getLogInfo(), {
      bucket: 'photos',
      objectKey: 'a/b',
      versionId: V,
      isDeleteMarker: false,
    });
  }
});

test('a master, a null version and a delete marker are told apart', () => {
  const master = new ObjectQueueEntry('b', 'k', {});
  assert.equal(master.isVersion(), false);
  assert.equal(master.getEncodedVersionId(), undefined);
  assert.deepEqual([master.getTags(), master.getLocation()], [{}, []]);
  assert.equal(new ObjectQueueEntry('b', 'k', { versionId: V, isNull: true }).getEncodedVersionId(), 'null');
  assert.equal(new ObjectQueueEntry('b', 'k', { isDeleteMarker: true }).isDeleteMarker(), true);
});

test('a deletion has no value, and is an entry all the same', () => {
  const entry = QueueEntry.createFromKafkaEntry({ value: '{"type":"del","bucket":"b","key":"k"}' });
  assert.ok(entry instanceof DeleteOpQueueEntry);
  assert.equal(entry.getObjectKey(), 'k');
  assert.deepEqual(entry.getValue(), {});
});

test('what is no entry of an object answers { error } and does not throw', () => {
  const texts = [
    'no json',
    'null',
    '{}',
    '{"type":"put","bucket":"b","key":"k","value":"no json"}',
    '{"type":"put","bucket":"users..bucket","key":"k","value":"{}"}',
    '{"type":"put","bucket":"b","key":"","value":"{}"}',
  ];
  for (const value of texts) {
    const answer = QueueEntry.createFromKafkaEntry({ value });
    assert.ok('error' in answer && answer.error instanceof Error, value);
  }
});
