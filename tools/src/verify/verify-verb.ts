import type { ModuleAddress } from '@zenko-modules/common/network/module-address';
import { EXIT, type ExitCode, ToolError } from '../command/exit-code.js';
import type { AddVerb, VerbContext } from '../command/verb.js';
import { nameOf, strayKey } from '../metadata/entry-key.js';
import { LogWindow } from '../metadata/log-window.js';
import { MetadataClient } from '../metadata/metadata-client.js';
import { withModules } from '../modules.js';
import { withScratchFolder } from '../partitioned-lines.js';
import { verifyDatabase } from './verify-databases.js';
import { verifyLog } from './verify-log.js';

interface VerifyOptions {
  readonly repair?: true;
  readonly fromLog?: true;
  readonly log: boolean;
}

export const addVerify: AddVerb = (program, run) => {
  program
    .command('verify')
    .summary('masters, versions, null versions and record log against each other')
    .description(
      'Compares masters, versions, null versions and the record log of every database with each other, while the ' +
        'metadata module serves. What a write changes meanwhile is looked at again, and is no finding.',
    )
    .option('--repair', 'puts right what can be put right without losing anything, each key in one batch')
    .option(
      '--from-log',
      'with --repair: brings back from the record log what is missing or is no JSON. Only where no daemon without a log has written',
    )
    .option('--no-log', 'leaves the record log out')
    .action((options: VerifyOptions) => run(context => verify(options, context)));
};

async function verify(options: VerifyOptions, context: VerbContext): Promise<ExitCode> {
  if (options.fromLog && !options.repair) throw new ToolError('--from-log: only together with --repair');
  return withModules(context.env, ({ metadata }) => verifyAt(metadata, options, context));
}

async function verifyAt(
  metadata: ModuleAddress,
  options: VerifyOptions,
  { output, signal }: VerbContext,
): Promise<ExitCode> {
  const counts = { databases: 0, keys: 0, records: 0, findings: 0, repaired: 0, unjudged: 0 };
  const tell = (found: {
    readonly kind: string;
    readonly database?: string;
    readonly key?: string;
    readonly versionId?: string | undefined;
    readonly text: string;
    readonly repaired?: boolean;
  }): void => {
    const { kind, database, key, versionId, text, repaired = false } = found;
    counts.findings += 1;
    if (repaired) counts.repaired += 1;
    const where = key === undefined ? '' : `${database}: ${nameOf({ key, versionId })}: `;
    const outcome = repaired ? ' (repaired)' : options.repair ? ' (not repaired)' : '';
    output.result(
      { event: 'finding', kind, database, key, versionId, text, repaired },
      `${where}${text}${outcome}`,
    );
  };
  const client = await MetadataClient.connect({ ...metadata, signal });
  try {
    if (options.log) {
      const log = await LogWindow.open({
        verb: 'verify',
        ...metadata,
        signal,
        from: 'oldest',
        onMissing: ({ from, to, damaged }) =>
          tell(
            damaged
              ? { kind: 'record is damaged', text: `record ${from} of the log cannot be read` }
              : { kind: 'records are missing', text: `records ${from} to ${to} are not in the log` },
          ),
      });
      try {
        const progress = output.progress('record log');
        await withScratchFolder(folder =>
          verifyLog({
            client,
            log,
            folder,
            repair: options.fromLog === true,
            observer: {
              onRecord: () => {
                counts.records += 1;
                progress.add();
              },
              onEntry: () => progress.add(),
              onFinding: ({ database, entry, text }, repaired) =>
                tell({ kind: 'differs from log', database, ...entry, text, repaired }),
            },
          }),
        );
      } finally {
        await log.close();
      }
    }
    const progress = output.progress('keys');
    const onStray = (rawKey: string): void =>
      tell({
        kind: 'key of no database',
        text: `${strayKey(rawKey)}: a backup that is restored is without it`,
      });
    for await (const database of client.databases(onStray)) {
      counts.databases += 1;
      await verifyDatabase(client, database, options.repair === true, {
        onKey: () => {
          counts.keys += 1;
          progress.add();
        },
        onFinding: (name, key, { kind, versionId, text }, repaired) =>
          tell({ kind, database: name, key, versionId, text, repaired }),
        onUnjudged: (name, key) => {
          counts.unjudged += 1;
          output.result(
            { event: 'unjudged', database: name, key },
            `${name}: ${JSON.stringify(key)}: written to each time it was looked at: not judged`,
          );
        },
      });
    }
  } finally {
    client.close();
  }
  output.endProgress();
  const { databases, keys, records, findings, repaired } = counts;
  output.result(
    { event: 'summary', ...counts },
    `${keys} keys in ${databases} databases and ${records} records of the log: ` +
      (findings === 0 ? 'sound' : `${findings} findings${options.repair ? `, ${repaired} repaired` : ''}`),
  );
  return findings > 0 ? EXIT.found : EXIT.sound;
}
