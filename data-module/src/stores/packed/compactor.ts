/** Gives back the space of what was deleted, one segment at a time: see PACKED.md. */
import { stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import type { Catalog, SegmentUse } from './catalog.js';
import { readHint, type RecordEntries, type RecordEntry } from './hint-file.js';
import type { Owner } from './owner.js';
import type { PackedMetrics } from './packed-metrics.js';
import { decodeData, decodeHead, RECORD_HEAD_BYTES, recordBytes } from '../record-format.js';
import { scanSegment } from './scan-segment.js';
import type { SegmentFiles } from './segment-files.js';
import type { SegmentWriter } from './segment-writer.js';

/** Records that are copied together, which one sync serves. */
const GROUP_RECORDS = 256;
const GROUP_BYTES = 2 * 1024 * 1024;
/** Segments smaller than this part of a full one are joined when there are more than so many. */
const SMALL_PART = 1 / 8;
const MAX_SMALL = 8;

export interface CompactorOptions {
  readonly files: SegmentFiles;
  readonly catalog: Catalog;
  readonly writer: SegmentWriter;
  readonly owner: Owner;
  readonly log: Logger;
  readonly segmentBytes: number;
  /** Part of a segment that must be dead before it is compacted, in percent. */
  readonly percent: number;
  readonly bytesPerSecond: number;
  /** Time between two looks for something to do. */
  readonly pauseMs: number;
  readonly metrics: PackedMetrics;
}

export class Compactor {
  readonly #options: CompactorOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /** Looks for something to do, again and again, until it is closed. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Compacts what is worth it now. Rejects when it could not be finished; nothing is lost then. */
  async compactAll(): Promise<void> {
    for (let next = this.#next(); next !== undefined && !this.#isStopping(); next = this.#next()) {
      await this.#compact(next.segment, next.use);
    }
  }

  /** Ends what is under way between two groups of records. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    const { log, pauseMs } = this.#options;
    while (!this.#isStopping()) {
      try {
        await this.compactAll();
      } catch (err) {
        if (!this.#isStopping()) log.error({ err }, 'compaction could not go on; it is tried again');
      }
      await this.#sleep(pauseMs);
    }
  }

  /** The segment to compact next. One that was begun goes before all others: PACKED.md says why. */
  #next(): { readonly segment: number; readonly use: SegmentUse } | undefined {
    const { catalog, writer, percent, segmentBytes } = this.#options;
    const sealed = [...catalog.segments]
      .filter(([segment, use]) => use.sealed && segment !== writer.activeSegment)
      .map(([segment, use]) => ({ segment, use, dead: catalog.deadBytes(segment) }));
    const interrupted = sealed.find(({ use }) => use.interrupted);
    if (interrupted !== undefined) return interrupted;
    const worth = sealed
      .filter(({ use, dead }) => dead > 0 && dead * 100 >= use.bytes * percent)
      .sort((a, b) => b.dead - a.dead);
    if (worth[0] !== undefined) return worth[0];
    const small = sealed.filter(({ use }) => use.bytes < segmentBytes * SMALL_PART);
    return small.length > MAX_SMALL ? small[0] : undefined;
  }

  async #compact(segment: number, use: SegmentUse): Promise<void> {
    const { catalog, files, owner, log, metrics } = this.#options;
    const before = [...catalog.segments.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    use.interrupted = true;
    let isDamaged = false;
    for (const group of groupsOf(await this.#entriesOf(segment))) {
      if (this.#isStopping()) return;
      const copied = await Promise.all(group.map(entry => this.#copy(segment, entry)));
      isDamaged ||= copied.includes('damaged');
      const bytes = group.reduce(
        (sum, { length }, at) => sum + (copied[at] === 'dead' ? 0 : recordBytes(length)),
        0,
      );
      await this.#sleep((bytes / this.#options.bytesPerSecond) * 1000);
    }
    if (use.live > 0)
      throw new CatalogueError('InternalError', `segment ${segment} still has ${use.live} bytes in use`);
    await owner.check();
    if (isDamaged) await files.setAside(segment);
    else await files.remove(segment);
    catalog.removeSegment(segment);
    const after = [...catalog.segments.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    log.info({ segment, freed: before - after, setAside: isDamaged }, 'compacted a segment');
    metrics.compacted.inc(use.bytes);
  }

  async #entriesOf(segment: number): Promise<RecordEntries> {
    const { files } = this.#options;
    const { size } = await stat(files.segmentFile(segment));
    return (await readHint(files, segment, size)) ?? (await scanSegment(files, segment, size)).entries;
  }

  async #copy(segment: number, entry: RecordEntry): Promise<'copied' | 'dead' | 'damaged'> {
    const { catalog, files, writer, log, metrics } = this.#options;
    const { kind, offset, length, target } = entry;
    // The entry is a part of a larger buffer, which must not be kept by what is written later.
    const key = Buffer.from(entry.key);
    if (kind === 'deletion') {
      if (!catalog.isNeeded(segment, target)) return 'dead';
      return (await writer.copyDeletion(key, target)) ? 'copied' : 'dead';
    }
    if (!catalog.isAt(key, segment, offset)) return 'dead';
    const place = { segment, offset };
    if (kind === 'lost') {
      const head = decodeHead(await files.read(segment, offset, RECORD_HEAD_BYTES));
      await writer.copyBlob(key, undefined, place);
      return head?.kind === 'lost' ? 'copied' : 'damaged';
    }
    const data = decodeData(await files.read(segment, offset, recordBytes(length)), key);
    if (data === undefined) {
      metrics.damaged.inc();
      log.error(
        { key: key.toString('hex'), segment, offset },
        'a record is damaged: its key answers InternalError',
      );
    }
    await writer.copyBlob(key, data, place);
    return data === undefined ? 'damaged' : 'copied';
  }

  async #sleep(ms: number): Promise<void> {
    if (ms < 1 || this.#isStopping()) return;
    try {
      await wait(ms, undefined, { signal: this.#stopping.signal, ref: false });
    } catch (err) {
      if (!this.#isStopping()) throw err;
    }
  }
}

function* groupsOf(entries: RecordEntries): Generator<RecordEntry[], void, undefined> {
  let group: RecordEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    group.push(entry);
    bytes += recordBytes(entry.length);
    if (group.length < GROUP_RECORDS && bytes < GROUP_BYTES) continue;
    yield group;
    group = [];
    bytes = 0;
  }
  if (group.length > 0) yield group;
}
