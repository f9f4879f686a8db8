/** `npm run readme`: writes the README's reference tables anew. */
import { readFile, writeFile } from 'node:fs/promises';
import { README, withReferenceTables } from './support/readme.js';

await writeFile(README, await withReferenceTables(await readFile(README, 'utf8')));
