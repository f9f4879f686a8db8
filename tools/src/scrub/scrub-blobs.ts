/**
 * Reads every blob that metadata names and compares it with the MD5 that the metadata holds. That is the one checksum
 * which blobs of every store have, CloudServer's own too, and it costs an upload nothing. The packed store and memcached
 * also compare their own checksums with each read.
 */
import { createHash } from 'node:crypto';
import { sleep } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import type { BlobClient } from '../data/blob-client.js';
import { type Location, locationsIn } from '../data/blob-references.js';
import { inParallel } from '../in-parallel.js';
import { type EntryKey, parseEntryKey } from '../metadata/entry-key.js';
import type { MetadataClient } from '../metadata/metadata-client.js';

const CONCURRENCY = 4;

export interface ScrubFinding {
  readonly database: string;
  readonly entry: EntryKey;
  readonly blobs: readonly string[];
  readonly text: string;
}

export interface ScrubOptions {
  readonly metadata: MetadataClient;
  readonly data: BlobClient;
  /** Bytes a second that are read at most; `undefined`: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
  readonly signal: AbortSignal;
  /** Told of each stretch of an object: blobs, bytes, and whether there was a checksum to compare with. */
  readonly onRead: (blobs: number, bytes: number, isCompared: boolean) => void;
  readonly onFinding: (finding: ScrubFinding) => void;
}

/** Blobs of one part of an object, in their order: its MD5 is that of all of them together. */
interface Stretch {
  readonly locations: readonly Location[];
  readonly md5: string | undefined;
}

export async function scrubDatabase(options: ScrubOptions, database: string): Promise<void> {
  // A version and its master name the same blobs, and stand beside each other.
  let before = new Set<string>();
  const work = async function* (
    entries: ReturnType<MetadataClient['entries']>,
  ): AsyncGenerator<{ readonly entry: EntryKey; readonly stretch: Stretch }> {
    let key: string | undefined;
    for await (const { key: stored, value } of entries) {
      const entry = parseEntryKey(stored);
      if (entry.key !== key) before = new Set();
      key = entry.key;
      for (const stretch of stretchesOf(locationsIn(value))) {
        const name = namesOf(stretch).join(' ');
        if (!before.has(name)) yield { entry, stretch };
        before.add(name);
      }
    }
  };
  await inParallel(work(options.metadata.entries(database)), CONCURRENCY, async ({ entry, stretch }) => {
    const text = await wrongWith(options, stretch);
    if (text === undefined || !(await isStillNamed(options, database, entry, stretch))) return;
    // What is damaged is so when it is read again, too.
    const again = await wrongWith(options, stretch);
    if (again !== undefined) options.onFinding({ database, entry, blobs: namesOf(stretch), text: again });
  });
}

function stretchesOf(locations: readonly Location[]): Stretch[] {
  const stretches: { locations: Location[]; etag: string | undefined }[] = [];
  for (const location of locations) {
    const last = stretches.at(-1);
    if (last !== undefined && location.etag !== undefined && last.etag === location.etag)
      last.locations.push(location);
    else stretches.push({ locations: [location], etag: location.etag });
  }
  return stretches.map(({ locations: some, etag }) => {
    const isPlain = some.every(({ isEncrypted }) => !isEncrypted);
    return { locations: some, md5: isPlain ? /^\d+:([0-9a-f]{32})$/.exec(etag ?? '')?.[1] : undefined };
  });
}

const namesOf = ({ locations }: Stretch): string[] => locations.map(({ key }) => key);

/** Reads it whole. Resolves with what is wrong with it. */
async function wrongWith(options: ScrubOptions, { locations, md5 }: Stretch): Promise<string | undefined> {
  const { data, bytesPerSecond, signal, onRead } = options;
  const hash = createHash('md5');
  let all = 0;
  for (const { key, size } of locations) {
    const started = performance.now();
    let bytes = 0;
    try {
      const blob = await data.get(key);
      if (blob === undefined) return `its blob ${key} is missing`;
      for await (const piece of blob) {
        hash.update(piece);
        bytes += piece.length;
        if (bytesPerSecond === undefined) continue;
        const dueMs = (bytes * CONCURRENCY * 1000) / bytesPerSecond;
        await sleep(Math.max(0, dueMs - (performance.now() - started)), signal);
      }
    } catch (err) {
      signal.throwIfAborted();
      return `its blob ${key} cannot be read: ${messageOf(err)}`;
    }
    all += bytes;
    if (size !== undefined && size !== bytes) return `its blob ${key} has ${bytes} bytes, not ${size}`;
  }
  onRead(locations.length, all, md5 !== undefined);
  if (md5 === undefined || hash.digest('hex') === md5) return undefined;
  return `the bytes of ${locations.map(({ key }) => key).join(', ')} are not those that were stored`;
}

async function isStillNamed(
  { metadata }: ScrubOptions,
  database: string,
  { key, versionId }: EntryKey,
  stretch: Stretch,
): Promise<boolean> {
  const value = await metadata.get(database, key, { versionId });
  const named = new Set(locationsIn(value ?? '').map(location => location.key));
  return namesOf(stretch).every(name => named.has(name));
}
