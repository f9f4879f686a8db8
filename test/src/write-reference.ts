/** `npm run readme`: writes the tables of the reference page anew. */
import { readFile, writeFile } from 'node:fs/promises';
import { REFERENCE_PAGE, withReferenceTables } from './support/reference-page.js';

await writeFile(REFERENCE_PAGE, await withReferenceTables(await readFile(REFERENCE_PAGE, 'utf8')));
