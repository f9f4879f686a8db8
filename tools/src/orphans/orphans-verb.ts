import { InvalidArgumentError } from 'commander';
import { EXIT, type ExitCode, ToolError } from '../command/exit-code.js';
import type { AddVerb, VerbContext } from '../command/verb.js';
import { BlobClient } from '../data/blob-client.js';
import { inParallel } from '../in-parallel.js';
import { nameOf, parseEntryKey } from '../metadata/entry-key.js';
import { LogWindow } from '../metadata/log-window.js';
import { MetadataClient } from '../metadata/metadata-client.js';
import { type Modules, withModules } from '../modules.js';
import { PARTITIONS, withScratchFolder } from '../partitioned-lines.js';
import { addChanges, findMissing, listBoth, type OrphanSearchOptions, orphansIn } from './find-orphans.js';

const HOUR_MS = 3_600_000;
const REMOVALS_AT_ONCE = 16;
/** So many blobs are removed before the record log is asked again whether something has come to name them. */
const REMOVALS_BETWEEN_LOOKS = 256;

interface OrphansOptions {
  readonly remove?: true;
  readonly force?: true;
  readonly olderThan: number;
}

export const addOrphans: AddVerb = (program, run) => {
  program
    .command('orphans')
    .summary('blobs that no metadata names, and locations whose blob is missing')
    .description(
      'Compares the blobs of the data module with what buckets, versions and uploads under way name. Both modules serve ' +
        'meanwhile. The metadata module must be the only one that names blobs of this data module.',
    )
    .option('--remove', 'removes the blobs that nothing names and that are old enough')
    .option('--older-than <hours>', 'how old a blob must be to count, 1 hour at least', hours, 24)
    .option('--force', 'removes them also when they are more than those that are named')
    .action((options: OrphansOptions) => run(context => orphans(options, context)));
};

function hours(text: string): number {
  const value = Number(text);
  // The metadata of a blob is written after the blob: younger ones may be on their way.
  if (/^\d+(\.\d+)?$/.test(text) && value >= 1) return value;
  throw new InvalidArgumentError('expected a number of hours, at least 1.');
}

function orphans(options: OrphansOptions, context: VerbContext): Promise<ExitCode> {
  return withModules(context.env, modules => orphansOf(modules, options, context));
}

async function orphansOf(
  modules: Modules,
  options: OrphansOptions,
  { output, signal }: VerbContext,
): Promise<ExitCode> {
  const metadataAt = { ...modules.metadata, signal };
  const metadata = await MetadataClient.connect(metadataAt);
  try {
    const data = await BlobClient.connect({ ...modules.data, signal });
    try {
      const log = await LogWindow.open({ verb: 'orphans', from: 'now', ...metadataAt });
      try {
        return await withScratchFolder(async folder => {
          const counts = { blobs: 0, missing: 0, orphans: 0, young: 0, undated: 0, removed: 0 };
          const progress = output.progress('entries and blobs');
          const search: OrphanSearchOptions = {
            metadata,
            data,
            log,
            folder,
            onStep: () => progress.add(),
            onMissing: ({ database, entryKey, blob }) => {
              counts.missing += 1;
              const entry = parseEntryKey(entryKey);
              output.result(
                { event: 'missing', database, ...entry, blob },
                `${database}: ${nameOf(entry)}: its blob ${blob} is missing`,
              );
            },
          };
          const listed = await listBoth(search);
          await findMissing(search, listed);
          if (listed.blobs === undefined) {
            output.result(
              { event: 'not listed' },
              'the store of the data module cannot list its blobs: those that nothing names are not looked for',
            );
          }
          counts.blobs = listed.blobs?.count ?? 0;
          if (options.remove && !options.force) await refuseMost(listed);
          for (let partition = 0; partition < PARTITIONS; partition += 1) {
            const old: string[] = [];
            const named = new Set<string>();
            await inParallel(await orphansIn(listed, partition), REMOVALS_AT_ONCE, async blob => {
              const age = await data.ageOf(blob);
              if (age === undefined) return;
              if (age === 'unknown') {
                counts.undated += 1;
                return;
              }
              if (age >= options.olderThan * HOUR_MS) old.push(blob);
              else counts.young += 1;
            });
            for (let from = 0; from < old.length; from += REMOVALS_BETWEEN_LOOKS) {
              // Right before they go.
              for (const blob of await addChanges(listed, log)) named.add(blob);
              const some = old.slice(from, from + REMOVALS_BETWEEN_LOOKS).filter(blob => !named.has(blob));
              await inParallel(some, REMOVALS_AT_ONCE, async blob => {
                counts.orphans += 1;
                const removed = options.remove === true && (await data.delete(blob));
                if (removed) counts.removed += 1;
                output.result(
                  { event: 'orphan', blob, removed },
                  `${blob}: named nowhere${removed ? ' (removed)' : ''}`,
                );
              });
            }
          }
          output.endProgress();
          output.result(
            { event: 'summary', ...counts },
            `${counts.blobs} blobs: ${counts.missing} missing, ${counts.orphans} named nowhere` +
              (options.remove ? `, ${counts.removed} of them removed` : '') +
              `; ${counts.young} more are younger than ${options.olderThan} h and left alone` +
              (counts.undated > 0
                ? `; of ${counts.undated} more the store cannot tell when they were stored: left alone`
                : ''),
          );
          return counts.missing + counts.orphans > 0 ? EXIT.found : EXIT.sound;
        });
      } finally {
        await log.close();
      }
    } finally {
      data.close();
    }
  } finally {
    metadata.close();
  }
}

/** Most blobs are orphans only for metadata that is not theirs, or is lost. */
async function refuseMost(listed: Awaited<ReturnType<typeof listBoth>>): Promise<void> {
  let count = 0;
  for (let partition = 0; partition < PARTITIONS; partition += 1)
    count += (await orphansIn(listed, partition)).length;
  const all = listed.blobs?.count ?? 0;
  if (count === 0 || count * 2 <= all) return;
  throw new ToolError(
    `${count} of ${all} blobs are named nowhere: is this the metadata module of this data module? Nothing was removed. If it is, add --force`,
  );
}
