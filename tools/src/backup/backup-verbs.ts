import { createLogger } from '@zenko-modules/common/logger';
import type { ModuleAddress } from '@zenko-modules/common/network/module-address';
import { OpenedLocation, parseLocation, show } from '@zenko-modules/metadata-module/copy/location';
import { EXIT, type ExitCode } from '../command/exit-code.js';
import type { AddVerb, VerbContext } from '../command/verb.js';
import { LogWindow, type MissingRecords } from '../metadata/log-window.js';
import { MetadataClient } from '../metadata/metadata-client.js';
import { withModules } from '../modules.js';
import { restoreBackup } from './restore-backup.js';
import { writeBackup } from './write-backup.js';

export const addBackup: AddVerb = (program, run) => {
  program
    .command('backup <file>')
    .summary('a consistent copy of all metadata in one file')
    .description(
      'Writes all metadata, and the record log, to a new file while the metadata module serves. The copy is that of one ' +
        'moment: all changes up to its last record, and none after. Blobs are copied by data:copy.',
    )
    .action((file: string) => run(context => backup(file, context)));
};

export const addRestore: AddVerb = (program, run) => {
  program
    .command('restore <file>')
    .summary('brings a backup into an empty store')
    .description(
      'Brings a backup into an empty store of any backend, on which no module runs. One that is damaged or cut off is ' +
        'refused before anything is written. Interrupted, the same command begins again.',
    )
    .requiredOption(
      '--to <backend:place>',
      'such as leveldown:./data/metadata, whose folder is there, or mongodown:mongodb://host',
    )
    .action((file: string, { to }: { readonly to: string }) => run(context => restore(file, to, context)));
};

function backup(file: string, context: VerbContext): Promise<ExitCode> {
  return withModules(context.env, ({ metadata }) => backupOf(metadata, file, context));
}

async function backupOf(
  metadata: ModuleAddress,
  file: string,
  { output, signal }: VerbContext,
): Promise<ExitCode> {
  const client = await MetadataClient.connect({ ...metadata, signal });
  try {
    let [gaps, lastMissing, strays] = [0, 0, 0];
    const onMissing = ({ from, to }: MissingRecords): void => {
      gaps += to - from + 1;
      lastMissing = to;
    };
    const log = await LogWindow.open({ verb: 'backup', ...metadata, signal, from: 'oldest', onMissing });
    try {
      const progress = output.progress('entries and records');
      const totals = await writeBackup({
        client,
        log,
        lastMissing: () => lastMissing,
        file,
        onLine: () => progress.add(),
        onStray: () => (strays += 1),
      });
      output.endProgress();
      const lacking = [
        ...(gaps === 0 ? [] : [`${gaps} records are not in the log or cannot be read`]),
        ...(strays === 0 ? [] : [`${strays} keys belong to no database and are left out`]),
      ];
      const missing = lacking.length === 0 ? '' : `; ${lacking.join('; ')}: see verify`;
      output.result(
        { event: 'summary', file, ...totals, missingRecords: gaps, strayKeys: strays },
        `${file}: ${totals.entries} entries and ${totals.records} records, up to record ${totals.last}, SHA-256 ${totals.sha256}${missing}`,
      );
      return lacking.length === 0 ? EXIT.sound : EXIT.found;
    } finally {
      await log.close();
    }
  } finally {
    client.close();
  }
}

async function restore(file: string, to: string, { output, env, signal }: VerbContext): Promise<ExitCode> {
  const log = createLogger('restore', 'silent');
  const target = await OpenedLocation.open(parseLocation('--to', to), env, log);
  try {
    const progress = output.progress('entries and records');
    const totals = await restoreBackup({ file, target, onLine: () => progress.add(), signal });
    output.endProgress();
    output.result(
      { event: 'summary', to: show(target.location), ...totals },
      `${show(target.location)} holds the state after record ${totals.last}: ${totals.entries} entries and ${totals.records} records were read`,
    );
    return EXIT.sound;
  } finally {
    await target.close();
  }
}
