/** Brings a backup into an empty store of any LevelDOWN, which no module has open. */
import { StartError } from '@zenko-modules/common/start-error';
import { deleteState, putState, readState } from '@zenko-modules/metadata-module/copy/copy-state';
import { type OpenedLocation, show } from '@zenko-modules/metadata-module/copy/location';
import { getValue, readEntries, writeBatch } from '@zenko-modules/metadata-module/leveldowns/level-calls';
import { recordKey, recordValue } from '@zenko-modules/metadata-module/record-log/record';
import { Database } from '@zenko-modules/metadata-module/store/key-space';
import { ToolError } from '../command/exit-code.js';
import { BackupReader, type EntryLine, type RecordLine, type Totals } from './format.js';

const BATCH_BYTES = 1024 * 1024;
const BATCH_OPERATIONS = 1000;

type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string };

export interface RestoreOptions {
  readonly file: string;
  readonly target: OpenedLocation;
  readonly onLine: () => void;
  readonly signal: AbortSignal;
}

/**
 * Reads the backup to its end before anything is written, so one that is damaged or cut off changes nothing. Until it
 * resolves the store is marked as unfinished, and no module starts on it; the same call begins again with what is there.
 * @throws ToolError, StartError for what the person can mend.
 */
export async function restoreBackup({ file, target, onLine, signal }: RestoreOptions): Promise<Totals> {
  const backup = new BackupReader(file);
  await backup.check(signal);
  const { header, totals: checked } = backup;
  if (header === undefined || checked === undefined) throw new ToolError(`${file} is empty`);
  await begin(target, `backup of ${header.uuid} with SHA-256 ${checked.sha256}`);
  let batch: Operation[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await writeBatch(target.level, batch);
    batch = [];
    bytes = 0;
  };
  for await (const line of backup.lines()) {
    signal.throwIfAborted();
    for (const operation of operationsOf(line, header.from)) {
      batch.push(operation);
      bytes += operation.key.length + (operation.type === 'put' ? operation.value.length : 0);
    }
    onLine();
    if (bytes >= BATCH_BYTES || batch.length >= BATCH_OPERATIONS) await flush();
  }
  await flush();
  const { totals } = backup;
  if (totals?.sha256 !== checked.sha256) throw new ToolError(`${file} was changed while it was read`);
  await target.setUuid(header.uuid);
  await writeBatch(target.level, [deleteState()]);
  return totals;
}

function operationsOf(line: EntryLine | RecordLine, from: number): Operation[] {
  if (line[0] === 'entry') {
    const [, database, key, value] = line;
    return [{ type: 'put', key: storedKey(database, key), value }];
  }
  const [, seq, type, database, key, value, timestamp] = line;
  const change: Operation = type === 'put' ? { type, key, value: value ?? '' } : { type, key };
  const logged: Operation = {
    type: 'put',
    key: recordKey(seq),
    value: recordValue(database, change, timestamp),
  };
  // What came before is in the entries.
  return seq <= from ? [logged] : [{ ...change, key: storedKey(database, key) }, logged];
}

const storedKey = (database: string, key: string): string =>
  new Database(database === '' ? [] : database.split('#')).keyOf(key);

async function begin({ level, location }: OpenedLocation, source: string): Promise<void> {
  const known = await readState(key => getValue(level, key));
  if (known !== undefined && known.source !== source)
    throw new StartError(`--to: ${show(location)} is an unfinished copy of something else, ${known.source}`);
  if (known === undefined) {
    for await (const { key } of readEntries(level, { limit: 1 })) {
      throw new StartError(
        `--to: ${show(location)} is not empty (it holds key ${JSON.stringify(key.toString())}): a backup goes into an empty store`,
      );
    }
  }
  await writeBatch(level, [putState({ source, entries: 0, bytes: 0, lastKey: '' })]);
}
