/** `npm run data:copy -- --from disk:/path --to packed:/path` */
import { parseArgs } from 'node:util';
import { Presets, SingleBar } from 'cli-progress';
import { messageOf } from '@zenko-modules/common/errors';
import { createLogger } from '@zenko-modules/common/logger';
import { SettingsError } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import type { DataStore, MovableStore } from '../data-store.js';
import { type BlobPlace, openPlace, parsePlace } from './blob-place.js';
import { copyBlobs, type CopyCounts } from './copy-blobs.js';

const USAGE = `usage: npm run data:copy -- --from <store>:<place> --to <store>:<place> [--verify]

Copies every blob of one store into another, under its key, reads it back and compares it. Stop the data module of
the target first, and that of the source unless nothing is put there meanwhile. Interrupted, the same command goes on
where it was. --verify also compares the bytes of blobs that the target has already. A blob that is not as it came
into the source, by a checksum that the source keeps, is named and not copied.

<place> is the folder of a disk store (DATA_PATH, or <DATA_DIR>/data) or of a packed one (PACKED_PATH, or
<DATA_DIR>/data-packed), the bucket of an s3 store, or the database of a gridfs one. All other settings of a store are
read from the environment, as the module does.

  --from disk:./data/data --to packed:/srv/packed`;

const CONCURRENCY = 16;
const FAILURES_SHOWN = 20;

try {
  process.exitCode = await main();
} catch (err) {
  const known = err instanceof StartError || err instanceof SettingsError;
  console.error(`data:copy: ${known ? messageOf(err) : ((err as Error).stack ?? messageOf(err))}`);
  process.exitCode = 2;
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
  const log = createLogger('data-copy', 'silent');
  const from = await openPlace(given.from, process.env, log);
  try {
    const to = await openPlace(given.to, process.env, log);
    try {
      return await copy(movable(given.from, from), movable(given.to, to), given.verify, stop.signal);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

async function copy(
  from: MovableStore,
  to: MovableStore,
  verify: boolean,
  signal: AbortSignal,
): Promise<number> {
  const total = await countOf(from.keys());
  const bar = new SingleBar(
    {
      format: '{bar} {percentage}% | {value} of {total} blobs | {eta_formatted} left',
      stream: process.stderr,
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  bar.start(total, 0);
  const failures: string[] = [];
  const options = {
    from,
    to,
    verify,
    signal,
    concurrency: CONCURRENCY,
    onBlob: ({ copied, present, failed }: CopyCounts) => bar.update(copied + present + failed),
    onFailure: (key: string, reason: string) => {
      if (failures.length < FAILURES_SHOWN) failures.push(`${key}: ${reason}`);
    },
  };
  const counts = await copyBlobs(options).finally(() => bar.stop());
  const { copied, present, failed, bytes } = counts;
  console.log(`${copied} blobs copied (${bytes} bytes), ${present} were there already, ${failed} failed`);
  for (const failure of failures) console.error(`data:copy: ${failure}`);
  return failed === 0 ? 0 : 1;
}

async function countOf(keys: AsyncIterable<string>): Promise<number> {
  const iterator = keys[Symbol.asyncIterator]();
  let count = 0;
  while ((await iterator.next()).done !== true) count += 1;
  return count;
}

function movable({ option, backend }: BlobPlace, store: DataStore): MovableStore {
  if ('keys' in store && 'putAs' in store) return store as MovableStore;
  throw new StartError(`${option}: the blobs of ${backend} cannot be listed and keep their keys`);
}

/** @throws StartError that says what is wrong with the arguments. */
function readArguments(): { from: BlobPlace; to: BlobPlace; verify: boolean } | undefined {
  try {
    const { values } = parseArgs({
      options: {
        from: { type: 'string' },
        to: { type: 'string' },
        verify: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) return undefined;
    if (values.from === undefined || values.to === undefined)
      throw new Error('--from and --to are both needed');
    const [from, to] = [parsePlace('--from', values.from), parsePlace('--to', values.to)];
    if (values.from === values.to) throw new Error('--from and --to are the same place');
    return { from, to, verify: values.verify };
  } catch (err) {
    throw new StartError(`${messageOf(err)}\n\n${USAGE}`, { cause: err });
  }
}
