/** Writes a backup of all metadata while the module serves. */
import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '@zenko-modules/common/errors';
import { syncFolder } from '@zenko-modules/common/sync-folder';
import { ToolError } from '../command/exit-code.js';
import type { LogWindow } from '../metadata/log-window.js';
import type { MetadataClient } from '../metadata/metadata-client.js';
import { readersOfLog } from './log-readers.js';
import { FORMAT, type Totals, VERSION } from './format.js';

const BUFFER_CHARACTERS = 1024 * 1024;

export interface BackupOptions {
  readonly client: MetadataClient;
  /** From the oldest record that is kept on, and not read yet. */
  readonly log: LogWindow;
  /** The highest number of those that `log` has told missing, 0 for none. */
  readonly lastMissing: () => number;
  readonly file: string;
  readonly onLine: () => void;
  /** Told of each key that belongs to no database, and is left out. */
  readonly onStray: (rawKey: string) => void;
}

/** The file is whole and on stable storage when it resolves; before that it has another name. Replaces no file. */
export async function writeBackup(options: BackupOptions): Promise<Totals> {
  const { file } = options;
  const partial = `${file}.partial`;
  await refuseExisting(file);
  const handle = await open(partial, 'w', 0o600).catch((err: unknown) => {
    throw new ToolError(`cannot write ${partial} (${messageOf(err)})`, { cause: err });
  });
  try {
    const totals = await writeLines(handle, options);
    await handle.sync();
    await handle.close();
    await rename(partial, file);
    await syncFolder(path.dirname(path.resolve(file)));
    return totals;
  } catch (err) {
    await handle.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw err;
  }
}

async function writeLines(
  handle: FileHandle,
  { client, log, lastMissing, onLine, onStray }: BackupOptions,
): Promise<Totals> {
  const hash = createHash('sha256');
  let pending = '';
  const flush = async (): Promise<void> => {
    const bytes = Buffer.from(pending);
    pending = '';
    hash.update(bytes);
    await handle.writeFile(bytes);
  };
  const write = async (line: readonly unknown[]): Promise<void> => {
    pending += `${JSON.stringify(line)}\n`;
    onLine();
    if (pending.length >= BUFFER_CHARACTERS) await flush();
  };
  let [entries, records] = [0, 0];
  const readers = await readersOfLog(client, log);
  const from = await log.newest();
  await write([FORMAT, VERSION, { uuid: await client.uuid(), created: new Date().toISOString(), from }]);
  for (const entry of readers) {
    await write(entry);
    entries += 1;
  }
  for await (const database of client.databases(onStray)) {
    for await (const { key, value } of client.entries(database)) {
      await write(['entry', database, key, value]);
      entries += 1;
    }
  }
  let last = 0;
  for await (const { seq, type, db, key, value, timestamp } of log.read()) {
    await write(['record', seq, type, db, key, value ?? null, timestamp]);
    records += 1;
    last = seq;
  }
  // Missing before it is only history, for the entries hold what those records changed.
  if (lastMissing() > from)
    throw new ToolError(
      `record ${lastMissing()} of the log is missing or cannot be read: the backup would miss a change that was made meanwhile; make it again`,
    );
  await flush();
  const totals = { entries, records, last, sha256: hash.digest('hex') };
  await handle.writeFile(`${JSON.stringify(['end', totals])}\n`);
  return totals;
}

async function refuseExisting(file: string): Promise<void> {
  try {
    await (await open(file, 'r')).close();
  } catch {
    return;
  }
  throw new ToolError(`${file} is there already: name another file, or remove it`);
}
