import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { propertyOptions } from '../../testing/seed.js';
import { decodeKey, encodedKeyBytes, encodeKey } from './key-encoding.js';

const bytes = fc.uint8Array({ minLength: 1, maxLength: 12 }).map(array => Buffer.from(array));

test('any bytes come back from their _id', t => {
  const property = fc.property(bytes, key => {
    assert.deepEqual(decodeKey(encodeKey(key)), key);
    assert.equal(encodedKeyBytes(encodeKey(key)), Buffer.from(encodeKey(key), 'utf8').length);
  });
  fc.assert(property, propertyOptions(t, 1000));
});

test('_ids sort as the bytes do, compared as JavaScript strings and as UTF-8', t => {
  const sign = (order: number): number => Math.sign(order);
  const property = fc.property(bytes, bytes, (a, b) => {
    const [x, y] = [encodeKey(a), encodeKey(b)];
    assert.equal(x < y ? -1 : x > y ? 1 : 0, sign(a.compare(b)));
    assert.equal(sign(Buffer.from(x, 'utf8').compare(Buffer.from(y, 'utf8'))), sign(a.compare(b)));
  });
  fc.assert(property, propertyOptions(t, 1000));
});

test('text is taken as UTF-8, astral characters too', t => {
  const property = fc.property(fc.string({ unit: 'binary', minLength: 1 }), text => {
    assert.deepEqual(decodeKey(encodeKey(text)), Buffer.from(text, 'utf8'));
  });
  fc.assert(property, propertyOptions(t, 1000));
});

test('ASCII reads as itself', () => {
  assert.equal(encodeKey('!bucket!photos/cat.jpg\0v1'), '!bucket!photos/cat.jpg\0v1');
});
