/**
 * The record log against the databases: what the newest record of an entry says must be what is stored. Both are written
 * in one batch, so a difference is damage, or the work of another daemon that keeps no log.
 */
import { isPlaceHolder, parseValue } from '@zenko-modules/metadata-module/versioning/version-value';
import { sha256Of } from '@zenko-modules/metadata-module/versioning/compare-and-swap';
import { inParallel } from '../in-parallel.js';
import type { MetadataClient } from '../metadata/metadata-client.js';
import { type EntryKey, parseEntryKey } from '../metadata/entry-key.js';
import type { LogRecord, LogWindow } from '../metadata/log-window.js';
import { PartitionedLines, PARTITIONS } from '../partitioned-lines.js';

const CONCURRENCY = 32;

export interface LogFinding {
  readonly database: string;
  readonly entry: EntryKey;
  readonly seq: number;
  readonly text: string;
}

export interface LogObserver {
  onRecord(): void;
  onEntry(): void;
  onFinding(finding: LogFinding, repaired: boolean): void;
}

export interface VerifyLogOptions {
  readonly client: MetadataClient;
  /** From the oldest record that is kept on. */
  readonly log: LogWindow;
  /** An empty folder. */
  readonly folder: string;
  /** Stores what the log says in the place of entries that are missing or are no JSON objects. */
  readonly repair: boolean;
  readonly observer: LogObserver;
}

/** What a record made of its entry: the SHA-256 of its text, `null` for none; `undefined` is not judged. */
interface Line {
  readonly id: string;
  readonly seq: number;
  readonly sha256: string | null | undefined;
}

export async function verifyLog(options: VerifyLogOptions): Promise<void> {
  const { log, folder, observer } = options;
  const lines = new PartitionedLines(folder);
  const drain = async (onId: (id: string) => void = () => undefined): Promise<void> => {
    for await (const record of log.read()) {
      const line = lineOf(record);
      onId(line.id);
      await lines.add(line.id, JSON.stringify(line));
      observer.onRecord();
    }
  };
  await drain();
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const newest = new Map<string, Line>();
    for await (const text of lines.read(partition)) {
      const line = JSON.parse(text) as Line;
      newest.set(line.id, line);
    }
    const suspects = await differing(options, newest.values());
    if (suspects.length === 0) continue;
    // Every change that may have been seen is in the log by now.
    const changed = new Set<string>();
    await drain(id => changed.add(id));
    for (const suspect of suspects) if (!changed.has(suspect.line.id)) await conclude(options, suspect);
  }
}

function lineOf({ seq, db, key, type, value }: LogRecord): Line {
  const id = JSON.stringify([db, key]);
  // The module replaces a place holder by itself, and a `get` of one answers what it will be replaced by.
  if (type === 'put' && isPlaceHolder(value ?? '')) return { id, seq, sha256: undefined };
  return { id, seq, sha256: type === 'put' ? sha256Of(value ?? '') : null };
}

interface Suspect {
  readonly line: Line;
  readonly database: string;
  readonly entry: EntryKey;
  readonly stored: string | undefined;
}

async function differing({ client, observer }: VerifyLogOptions, lines: Iterable<Line>): Promise<Suspect[]> {
  const suspects: Suspect[] = [];
  await inParallel(lines, CONCURRENCY, async line => {
    observer.onEntry();
    if (line.sha256 === undefined) return;
    const [database, key] = JSON.parse(line.id) as [string, string];
    const entry = parseEntryKey(key);
    const stored = await client.get(database, entry.key, entry);
    if ((stored === undefined ? null : sha256Of(stored)) !== line.sha256)
      suspects.push({ line, database, entry, stored });
  });
  return suspects;
}

async function conclude(
  { client, log, repair, observer }: VerifyLogOptions,
  { line, database, entry, stored }: Suspect,
): Promise<void> {
  const { seq, sha256 } = line;
  const finding = { database, entry, seq, text: textOf(seq, sha256, stored) };
  const isDamaged = stored === undefined || parseValue(stored) === undefined;
  const record = repair && isDamaged && sha256 !== null ? await log.record(seq) : undefined;
  const replacements =
    record?.value === undefined ? [] : [{ versionId: entry.versionId, value: record.value }];
  const seen = [{ versionId: entry.versionId, sha256: stored === undefined ? null : sha256Of(stored) }];
  // Changed since: it is being written to.
  if (!(await client.compareAndSwap(database, entry.key, seen, replacements))) return;
  observer.onFinding(finding, replacements.length > 0);
}

function textOf(seq: number, sha256: string | null | undefined, stored: string | undefined): string {
  if (stored === undefined) return `record ${seq} of the log stored it, and it is not there`;
  if (sha256 === null) return `record ${seq} of the log deleted it, and it is there`;
  return `it is not what record ${seq} of the log made it`;
}
