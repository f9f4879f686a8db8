import assert from 'node:assert/strict';
import test from 'node:test';
import { hasMoreValues } from './json-values.js';

test('values are counted, and what stands inside strings is not', () => {
  const cases: [string, number, boolean][] = [
    ['[1,2,3]', 3, false],
    ['[1,2,3]', 2, true],
    ['{"a":{"b":[]}}', 5, false],
    ['{"a":{"b":[]}}', 4, true],
    [JSON.stringify([',:[{'.repeat(10)]), 1, false],
    [JSON.stringify(['\\"', '"', '\\', '",[', 1]), 5, false],
    [JSON.stringify(['\\"', '"', '\\', '",[', 1]), 4, true],
    ['[["[', 1, true],
    ['"never ends, [ , {', 1, false],
    ['', 0, false],
  ];
  for (const [text, limit, wanted] of cases) {
    assert.equal(hasMoreValues(text, limit), wanted, `${text} with ${limit}`);
  }
  assert.equal(hasMoreValues('['.repeat(1_000_000), 999_999), true);
  assert.equal(hasMoreValues('['.repeat(1_000_000), 1_000_000), false);
});
