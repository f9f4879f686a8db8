/** The tables of the reference page are those in code. `npm run readme` writes them anew. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { REFERENCE_PAGE, withReferenceTables } from './support/reference-page.js';

test('the tables of settings, errors, metrics and operations in the reference page are those in code', async () => {
  const page = await readFile(REFERENCE_PAGE, 'utf8');
  assert.equal(page, await withReferenceTables(page), 'run `npm run readme`');
});
