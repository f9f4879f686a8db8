import assert from 'node:assert/strict';
import test from 'node:test';
import { approximateBytes } from './approximate-bytes.js';

test('texts count by their length, and small values by the memory that each takes', () => {
  const text = 'x'.repeat(100_000);
  for (const value of [text, [text], { a: { b: text } }, [[[text]]], { [text]: 1 }]) {
    const bytes = approximateBytes(value);
    assert.ok(bytes >= 100_000 && bytes < 101_000, String(bytes));
  }
  assert.ok(approximateBytes(Array.from({ length: 1000 }, () => ({}))) >= 64_000);
  assert.equal(approximateBytes(null), 0);
});

test('a value may be of any depth', () => {
  const depth = 100_000;
  const nested: unknown = JSON.parse('['.repeat(depth) + ']'.repeat(depth));
  assert.ok(approximateBytes(nested) > depth);
});
