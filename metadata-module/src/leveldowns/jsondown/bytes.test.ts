import assert from 'node:assert/strict';
import test from 'node:test';
import { seededRandom } from '@zenko-modules/common/testing/random';
import fc from 'fast-check';
import { fromJson, toBuffer, toBytes, toJson, toText } from './bytes.js';

test('any bytes come back from memory and from JSON as they were', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), array => {
      const bytes = toBytes(array);
      assert.deepEqual(toBuffer(bytes), Buffer.from(array));
      assert.equal(fromJson(JSON.parse(JSON.stringify(toJson(bytes)))), bytes);
    }),
    { seed: seededRandom(t).seed },
  );
});

test('any text is plain text in JSON, and the order of its bytes is that of UTF-8', t => {
  const text = fc.string({ unit: 'grapheme' });
  fc.assert(
    fc.property(text, text, (one, other) => {
      assert.equal(toJson(toBytes(one)), one);
      assert.equal(toText(toBytes(one)), one);
      const order = Buffer.compare(Buffer.from(one), Buffer.from(other));
      assert.equal(toBytes(one) < toBytes(other), order < 0);
    }),
    { seed: seededRandom(t).seed },
  );
});

test('bytes that are no UTF-8 are hexadecimal in JSON', () => {
  assert.deepEqual(toJson(toBytes(Buffer.from([0x61, 0xff, 0x00]))), { hex: '61ff00' });
});

test('other JSON is no bytes', () => {
  for (const json of [null, 1, ['a'], {}, { hex: 1 }, { hex: 'f' }, { hex: 'FF' }, { hex: 'zz' }]) {
    assert.equal(fromJson(json), undefined);
  }
});
