/**
 * The readers of the record log as entries of a backup: what they have not read must not be pruned from a restored log
 * either, and offsets that are kept for them go on. What they say is no later than when they were asked for.
 */
import { READERS } from '@zenko-modules/metadata-module/record-log/log-readers';
import { HOLDERS, placesOnly } from '@zenko-modules/metadata-module/record-log/reader-holders';
import type { LogWindow } from '../metadata/log-window.js';
import type { MetadataClient } from '../metadata/metadata-client.js';
import type { EntryLine } from './format.js';

/** Every reader but the tools: as one that has read nothing, for the module does not tell what each has read. */
export async function readersOfLog(client: MetadataClient, log: LogWindow): Promise<EntryLine[]> {
  const entries: EntryLine[] = [];
  const nextSeq = log.next;
  for await (const reader of client.keysOf(READERS)) {
    if (!reader.startsWith('tools-'))
      entries.push(['entry', READERS.name, reader, JSON.stringify({ nextSeq })]);
  }
  for await (const reader of client.keysOf(HOLDERS)) {
    entries.push(['entry', HOLDERS.name, reader, placesOnly(await log.placesOf(reader))]);
  }
  return entries;
}
