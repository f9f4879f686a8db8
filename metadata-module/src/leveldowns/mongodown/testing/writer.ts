/**
 * Writes numbered batches from where the store is, until it is killed or fails:
 *
 *     node writer.js <place as JSON> <options of MongoDown as JSON> <batches at once> <level of the log on standard error>
 *
 * Prints `at <number>` when it is open, then one line with the number up to which all are acknowledged, and
 * at the end `failed <code>`.
 */
import { pino } from 'pino';
import { getValue, openLevel } from '../../level-calls.js';
import type { MongoDownOptions } from '../mongodown.js';
import { newStore, type Place } from './databases.js';
import { writeBatches } from './numbered-batches.js';

const [place = '', options = '{}', atOnce = '4', level = 'silent'] = process.argv.slice(2);
const store = newStore(JSON.parse(place) as Place, {
  ...(JSON.parse(options) as Partial<MongoDownOptions>),
  log: pino({ level }, process.stderr),
});
await openLevel(store);
const from = Number((await getValue(store, 'count')) ?? 0);
process.stdout.write(`at ${from}\n`);
const failure = await writeBatches(store, { from, atOnce: Number(atOnce) }, number => {
  process.stdout.write(`${number}\n`);
});
const code = failure instanceof Error && 'code' in failure ? String(failure.code) : String(failure);
process.stdout.write(`failed ${code}\n`);
process.exit(1);
