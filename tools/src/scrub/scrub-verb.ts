import { InvalidArgumentError } from 'commander';
import { readSettings } from '@zenko-modules/common/settings';
import { EXIT, type ExitCode } from '../command/exit-code.js';
import type { AddVerb, VerbContext } from '../command/verb.js';
import { BlobClient } from '../data/blob-client.js';
import { nameOf } from '../metadata/entry-key.js';
import { MetadataClient } from '../metadata/metadata-client.js';
import { TOOLS_SETTINGS } from '../settings.js';
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

async function scrub(megabytes: number | undefined, { output, env, signal }: VerbContext): Promise<ExitCode> {
  const settings = readSettings(TOOLS_SETTINGS, env);
  const metadata = await MetadataClient.connect({
    host: settings.METADATA_HOST,
    port: settings.METADATA_PORT,
    signal,
  });
  try {
    const data = await BlobClient.connect({ host: settings.DATA_HOST, port: settings.DATA_PORT, signal });
    try {
      const counts = { blobs: 0, bytes: 0, notCompared: 0, findings: 0 };
      const progress = output.progress('blobs');
      for await (const database of metadata.databases()) {
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
