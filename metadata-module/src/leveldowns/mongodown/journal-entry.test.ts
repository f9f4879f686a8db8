import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { propertyOptions } from '../../testing/seed.js';
import { LEVEL_ERRORS } from '../plugin.js';
import { encodeKey } from './key-encoding.js';
import {
  decodeOperations,
  encodeOperations,
  MAX_BATCH_BYTES,
  MAX_ENTRY_BYTES,
  type JournalOperation,
} from './journal-entry.js';

const bytes = fc.uint8Array({ minLength: 1, maxLength: 8 }).map(array => Buffer.from(array));
const key = bytes.map(encodeKey);
const operation: fc.Arbitrary<JournalOperation> = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key, value: bytes }, { noNullPrototype: true }),
  fc.record({ type: fc.constant('del' as const), key }, { noNullPrototype: true }),
);
const batch = fc.array(operation, { maxLength: 6 });

test('operations come back as they were, and batches one behind the other are a batch', t => {
  const property = fc.property(batch, batch, (a, b) => {
    const payload = Buffer.concat([encodeOperations(a), encodeOperations(b)]);
    assert.deepEqual(decodeOperations(payload, 'it'), [...a, ...b]);
  });
  fc.assert(property, propertyOptions(t, 500));
});

test('a payload that was cut or changed is damage with its place, or other operations, never a crash', t => {
  const property = fc.property(batch, fc.nat(), fc.nat({ max: 255 }), (operations, at, value) => {
    const payload = encodeOperations(operations);
    const cut = payload.subarray(0, at % (payload.length + 1));
    const changed = Buffer.from(payload);
    if (changed.length > 0) changed.writeUInt8(value, at % changed.length);
    for (const damaged of [cut, changed]) {
      try {
        decodeOperations(damaged, 'entry 7');
      } catch (err) {
        assert.match(String(err), /entry 7 is damaged at byte \d+/);
      }
    }
  });
  fc.assert(property, propertyOptions(t, 500));
});

test('what is too large is refused by name', () => {
  const code = LEVEL_ERRORS.tooLarge;
  const value = Buffer.alloc(MAX_ENTRY_BYTES);
  assert.throws(() => encodeOperations([{ type: 'put', key: 'k', value }]), { code });
  assert.throws(() => encodeOperations([{ type: 'del', key: 'k'.repeat(MAX_ENTRY_BYTES + 1) }]), { code });
  const many = Array.from({ length: 9 }, (_, index): JournalOperation => {
    return { type: 'put', key: String(index), value: value.subarray(0, MAX_BATCH_BYTES / 8 - 4096) };
  });
  assert.throws(() => encodeOperations(many), { code, message: /a batch of 9 operations takes \d+ bytes/ });
  assert.doesNotThrow(() => encodeOperations([{ type: 'put', key: 'k', value: value.subarray(1) }]));
});
