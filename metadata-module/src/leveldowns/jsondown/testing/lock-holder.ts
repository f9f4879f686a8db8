/** Opens the store of a folder, says so, and keeps it until it is killed: `node lock-holder.js <folder>`. */
import { openLevel } from '../../level-calls.js';
import { JsonDown } from '../json-down.js';

await openLevel(new JsonDown(process.argv[2] ?? ''));
process.send?.('open');
setInterval(() => undefined, 60_000);
