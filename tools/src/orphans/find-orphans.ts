/**
 * Blobs that no metadata names, and locations whose blob is missing, while both modules serve.
 *
 * The blobs are listed first, then the metadata, then the changes that the record log tells of since before the listing.
 * A blob that was named when that began, or came to be named since, is named in one of them, also when its reference has
 * moved meanwhile, as those of parts do when an upload is completed.
 *
 * Each side is spread over 256 files by the hash of the key; one file of each is in memory at a time, about 150 bytes a
 * key: 600 KB for a million, 600 MB for a thousand million.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { BlobClient } from '../data/blob-client.js';
import { BLOB_KEY, keysNamedIn, locationsIn } from '../data/blob-references.js';
import { inParallel } from '../in-parallel.js';
import { parseEntryKey } from '../metadata/entry-key.js';
import type { LogWindow } from '../metadata/log-window.js';
import type { MetadataClient } from '../metadata/metadata-client.js';
import { PartitionedLines, PARTITIONS } from '../partitioned-lines.js';

const CONCURRENCY = 32;

export interface MissingBlob {
  readonly database: string;
  /** With the version. */
  readonly entryKey: string;
  readonly blob: string;
}

export interface OrphanSearchOptions {
  readonly metadata: Pick<MetadataClient, 'databases' | 'entries' | 'get'>;
  readonly data: BlobClient;
  /** Begun before anything is listed. */
  readonly log: LogWindow;
  /** An empty folder. */
  readonly folder: string;
  readonly onStep: () => void;
  readonly onMissing: (missing: MissingBlob) => void;
}

export interface Listed {
  /** `undefined`: the store cannot list its blobs. */
  readonly blobs: PartitionedLines | undefined;
  readonly named: PartitionedLines;
  readonly locations: PartitionedLines;
}

/** Lists both sides. */
export async function listBoth({
  metadata,
  data,
  log,
  folder,
  onStep,
}: OrphanSearchOptions): Promise<Listed> {
  const [blobs, named, locations] = await Promise.all(
    ['blobs', 'named', 'locations'].map(name => linesAt(path.join(folder, name))),
  );
  if (!blobs || !named || !locations) throw new Error('unreachable');
  const keys = await data.keys();
  for await (const key of keys ?? []) {
    onStep();
    // Keys that no data module made are left alone.
    if (BLOB_KEY.test(key)) await blobs.add(key, key);
  }
  for await (const database of metadata.databases()) {
    for await (const { key, value } of metadata.entries(database)) {
      onStep();
      for (const blob of keysNamedIn(value)) await named.add(blob, blob);
      for (const { key: blob } of locationsIn(value))
        await locations.add(blob, JSON.stringify([blob, database, key]));
    }
  }
  const listed = { blobs: keys === undefined ? undefined : blobs, named, locations };
  await addChanges(listed, log);
  return listed;
}

/** Adds what has come to be named since the window was read last. */
export async function addChanges({ named }: Pick<Listed, 'named'>, log: LogWindow): Promise<Set<string>> {
  const added = new Set<string>();
  for await (const { value } of log.read()) {
    for (const blob of keysNamedIn(value ?? '')) {
      added.add(blob);
      await named.add(blob, blob);
    }
  }
  return added;
}

/** The blobs of one file that nothing names. */
export async function orphansIn({ blobs, named }: Listed, partition: number): Promise<string[]> {
  const keys = new Set<string>();
  for await (const key of blobs?.read(partition) ?? []) keys.add(key);
  for await (const key of named.read(partition)) keys.delete(key);
  return [...keys];
}

/** Tells of each location whose blob is not there: it was not listed, is not found now, and is still named. */
export async function findMissing(
  { metadata, data, onStep, onMissing }: OrphanSearchOptions,
  { blobs, locations }: Listed,
): Promise<void> {
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const there = new Set<string>();
    for await (const key of blobs?.read(partition) ?? []) there.add(key);
    await inParallel(locations.read(partition), CONCURRENCY, async line => {
      onStep();
      const [blob, database, entryKey] = JSON.parse(line) as [string, string, string];
      if (there.has(blob) || (await data.stat(blob)) !== undefined) return;
      const { key, versionId } = parseEntryKey(entryKey);
      const value = await metadata.get(database, key, { versionId });
      const isNamed = value !== undefined && locationsIn(value).some(location => location.key === blob);
      if (isNamed) onMissing({ database, entryKey, blob });
    });
  }
}

async function linesAt(folder: string): Promise<PartitionedLines> {
  await mkdir(folder);
  return new PartitionedLines(folder);
}
