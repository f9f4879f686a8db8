import { InvalidArgumentError } from 'commander';
import { EXIT, type ExitCode } from '../command/exit-code.js';
import type { AddVerb, VerbContext } from '../command/verb.js';
import { BlobClient } from '../data/blob-client.js';
import { nameOf, strayKey } from '../metadata/entry-key.js';
import { MetadataClient } from '../metadata/metadata-client.js';
import { type Modules, withModules } from '../modules.js';
import { scrubDatabase } from './scrub-blobs.js';

export const addScrub: AddVerb = (program, run) => {
  program
    .command('scrub')
    .summary('reads every blob and compares its checksum')
    .description(
      'Reads every blob that metadata names and compares it with the MD5 that the metadata holds. Blobs that CloudServer ' +
        'has encrypted are read, and only their size is compared.',
    )
    .option('--rate <megabytes>', 'reads at most so many megabytes a second', rate)
    .action((options: { readonly rate?: number }) => run(context => scrub(options.rate, context)));
};

function rate(text: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value > 0) return value;
  throw new InvalidArgumentError('expected a number of megabytes.');
}

function scrub(megabytes: number | undefined, context: VerbContext): Promise<ExitCode> {
  return withModules(context.env, modules => scrubBlobsOf(modules, megabytes, context));
}

async function scrubBlobsOf(
  modules: Modules,
  megabytes: number | undefined,
  { output, signal }: VerbContext,
): Promise<ExitCode> {
  const metadata = await MetadataClient.connect({ ...modules.metadata, signal });
  try {
    const data = await BlobClient.connect({ ...modules.data, signal });
    try {
      const counts = { blobs: 0, bytes: 0, notCompared: 0, findings: 0 };
      const progress = output.progress('blobs');
      const onStray = (rawKey: string): void => {
        counts.findings += 1;
        output.result({ event: 'stray', rawKey }, `${strayKey(rawKey)}: what it names is not read`);
      };
      for await (const database of metadata.databases(onStray)) {
        await scrubDatabase(
          {
            metadata,
            data,
            signal,
            bytesPerSecond: megabytes === undefined ? undefined : megabytes * 1e6,
            onRead: (blobs, bytes, isCompared) => {
              counts.blobs += blobs;
              counts.bytes += bytes;
              if (!isCompared) counts.notCompared += blobs;
              progress.add(blobs);
            },
            onFinding: ({ database: name, entry, blobs, text }) => {
              counts.findings += 1;
              output.result(
                { event: 'finding', database: name, ...entry, blobs, text },
                `${name}: ${nameOf(entry)}: ${text}`,
              );
            },
          },
          database,
        );
      }
      output.endProgress();
      const { blobs, bytes, notCompared, findings } = counts;
      output.result(
        { event: 'summary', ...counts },
        `${blobs} blobs, ${bytes} bytes, were read` +
          (notCompared === 0 ? '' : `, ${notCompared} of them without a checksum to compare with`) +
          (findings === 0 ? ': sound' : `: ${findings} findings`),
      );
      return findings === 0 ? EXIT.sound : EXIT.found;
    } finally {
      data.close();
    }
  } finally {
    metadata.close();
  }
}
