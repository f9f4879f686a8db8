/** `npm run metadata:copy -- --from leveldown:/path --to mongodown:mongodb://...` */
import { parseArgs } from 'node:util';
import { messageOf } from '@zenko-modules/common/errors';
import { createLogger } from '@zenko-modules/common/logger';
import { SettingsError } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { LevelError } from '../leveldowns/plugin.js';
import { copyStore } from './copy.js';
import type { Totals } from './digest.js';
import { type Location, OpenedLocation, parseLocation, show } from './location.js';
import { ProgressBar } from './progress-bar.js';

const USAGE = `usage: npm run metadata:copy -- --from <backend>:<place> --to <backend>:<place>

Copies everything that a metadata module keeps into an empty store, and compares both in the end. Stop the
modules of both first. Interrupted, the same command goes on where it was.

<place> is the folder of the metadata module (METADATA_PATH, or <DATA_DIR>/metadata), for mongodown the
connection string, which may be left out when MONGODB_URL or MONGODB_URL_FILE is set. All other settings of a
backend are read from the environment, as the module does.

  --from leveldown:./data/metadata --to mongodown:mongodb://127.0.0.1:27017
  --from leveldown:./data/metadata --to jsondown:/srv/other`;

try {
  process.exitCode = await main();
} catch (err) {
  const known = err instanceof StartError || err instanceof SettingsError || err instanceof LevelError;
  console.error(`metadata:copy: ${known ? messageOf(err) : ((err as Error).stack ?? messageOf(err))}`);
  process.exitCode = 1;
}

async function main(): Promise<number> {
  const given = readArguments();
  if (given === undefined) {
    console.log(USAGE);
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () =>
      stop.abort(new StartError('interrupted; the same command goes on where it was')),
    );
  }
  const bar = new ProgressBar();
  try {
    const { entries, bytes, sha256 } = await copy(given.from, given.to, bar, stop.signal);
    bar.end();
    console.log(`${entries} entries, ${bytes} bytes, are in ${show(given.to)} as in ${show(given.from)}`);
    console.log(`SHA-256 of both: ${sha256}`);
    return 0;
  } finally {
    bar.end();
  }
}

/** @throws StartError that says what is wrong with the arguments. */
function readArguments(): { from: Location; to: Location } | undefined {
  try {
    const { values } = parseArgs({
      options: { from: { type: 'string' }, to: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help === true) return undefined;
    if (values.from === undefined || values.to === undefined)
      throw new Error('--from and --to are both needed');
    const [from, to] = [parseLocation('--from', values.from), parseLocation('--to', values.to)];
    if (show(from) === show(to)) throw new Error('--from and --to are the same place');
    return { from, to };
  } catch (err) {
    throw new StartError(`${messageOf(err)}\n\n${USAGE}`, { cause: err });
  }
}

async function copy(from: Location, to: Location, bar: ProgressBar, signal: AbortSignal): Promise<Totals> {
  const log = createLogger('metadata-copy', 'silent');
  const source = await OpenedLocation.open(from, process.env, log);
  try {
    const target = await OpenedLocation.open(to, process.env, log);
    try {
      return await copyStore({ source, target, observer: bar, signal });
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
