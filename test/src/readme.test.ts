/** The README's reference tables are those in code. `npm run readme` writes them anew. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { README, withReferenceTables } from './support/readme.js';

test('the tables of settings, errors, metrics and operations in the README are those in code', async () => {
  const page = await readFile(README, 'utf8');
  assert.equal(page, await withReferenceTables(page), 'run `npm run readme`');
});
