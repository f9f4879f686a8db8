/** Makes the catalog at a start: from hint files, and by reading the segments that have none. */
import { open, rm, stat } from 'node:fs/promises';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import { lacksRoom } from '../disk/disk-errors.js';
import type { FileCalls } from '../disk/file-calls.js';
import { LOST } from './blob-index.js';
import { Catalog } from './catalog.js';
import { readHint, type RecordEntries, writeHint } from './hint-file.js';
import { scanSegment } from './scan-segment.js';
import type { SegmentFiles } from './segment-files.js';

export interface LoadedCatalog {
  readonly catalog: Catalog;
  readonly lastSegment: number;
  /** Records that cannot be read. */
  readonly damaged: number;
}

/** Cuts torn ends off, writes the hint files that are missing, as far as there is room, and names in the log what is damaged. */
export async function loadCatalog(
  calls: FileCalls,
  files: SegmentFiles,
  log: Logger,
): Promise<LoadedCatalog> {
  const { segments, hints } = await files.prepare();
  for (const hint of hints) if (!segments.includes(hint)) await rm(files.hintFile(hint));
  const catalog = new Catalog();
  let damaged = 0;
  for (const segment of segments) {
    const { size } = await stat(files.segmentFile(segment));
    const hinted = await readHint(files, segment, size);
    if (hinted !== undefined) {
      apply(catalog, segment, size, hinted);
      continue;
    }
    const scanned = await scanSegment(files, segment, size);
    damaged += tell(log, segment, size, scanned);
    await keep(files, segment, size, scanned.end);
    if (scanned.end === 0) continue;
    await writeHint(calls, files, segment, scanned.end, scanned.entries).catch((err: unknown) => {
      // What is stored can be read all the same, and deleted, which gives room back.
      if (!lacksRoom(err)) throw err;
      log.warn({ segment, reason: messageOf(err) }, 'no hint file: the next start reads the segment again');
    });
    apply(catalog, segment, scanned.end, scanned.entries);
  }
  return { catalog, lastSegment: segments.at(-1) ?? 0, damaged };
}

function apply(catalog: Catalog, segment: number, bytes: number, entries: RecordEntries): void {
  catalog.addSegment(segment, bytes, true);
  for (const { kind, key, offset, length, target } of entries) {
    if (kind === 'deletion') {
      catalog.delete(key, segment, target);
      continue;
    }
    const before = catalog.put(key, { segment, offset, length: kind === 'lost' ? LOST : length });
    const other = before !== undefined && before !== segment ? catalog.segments.get(before) : undefined;
    if (other !== undefined) other.interrupted = true;
  }
}

/** The segment ends at `end`, and is gone when nothing is left of it. */
async function keep(files: SegmentFiles, segment: number, size: number, end: number): Promise<void> {
  if (end === 0) {
    await files.remove(segment);
    return;
  }
  if (end === size) return;
  const file = await open(files.segmentFile(segment), 'r+');
  try {
    await file.truncate(end);
    await file.sync();
  } finally {
    await file.close();
  }
}

function tell(
  log: Logger,
  segment: number,
  size: number,
  { end, damaged }: Awaited<ReturnType<typeof scanSegment>>,
): number {
  if (end < size) {
    log.warn(
      { segment, from: end, bytes: size - end },
      'cut off the torn end of a segment: what a crash left of puts that nobody was told of',
    );
  }
  for (const place of damaged)
    log.error({ segment, ...place }, 'a segment is damaged: these keys answer InternalError');
  return damaged.reduce((sum, { keys }) => sum + keys.length, 0);
}
