/**
 * The record log as all extensions of a populator read it. Each has a place of its own, so that one that is
 * held up holds up nobody else. Those that are at the same place share what was read: the newest batches
 * stand on a shelf, and who is ahead waits a moment until the others have taken the oldest of them. Who does
 * not come in that time is left behind, reads for itself, and shares again when it is at the front.
 */
import { orAborted } from '@zenko-modules/common/abort';
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import type { PopulatorMetrics } from '../extension-metrics.js';
import type { Cursor } from './cursor.js';
import { insist } from './insist.js';
import type { Batch, RecordLogReader } from './record-log-reader.js';
import { ToldGaps } from './told-gaps.js';

/** Batches that are kept for those who have not taken them. */
const SHELF = 16;
const LEFT_BEHIND_AFTER_MS = 1000;
/** The metadata module is told how far we are when this many records are done, or after this time. */
const NOTE_EVERY_RECORDS = 10_000;
const NOTE_EVERY_MS = 5000;

interface Shelved {
  readonly key: string;
  readonly nextSeq: number;
  readonly batch: Promise<Batch | undefined>;
  /** Extensions that share, and have not taken it yet. */
  readonly awaited: Set<string>;
}

export interface SharedLogOptions {
  readonly reader: RecordLogReader;
  readonly metrics: PopulatorMetrics;
  readonly log: Logger;
  /** Ends everything. */
  readonly signal: AbortSignal;
  /** Where the extension is that is furthest behind: what it has not done is still needed. */
  readonly lowest: () => Cursor;
  /** Told when the log cannot be read: whether there is more is not known then. */
  readonly onLost: () => void;
}

export class SharedLog {
  readonly #options: SharedLogOptions;
  readonly #gaps: ToldGaps;
  readonly #shelf: Shelved[] = [];
  readonly #sharing = new Set<string>();
  #wake: (() => void)[] = [];
  #newestSeq = 0;
  #countedSeq = 0;
  #trouble: string | undefined = 'the record log has not been read yet';
  #noted: Cursor | undefined;
  #notedAt = 0;

  constructor(options: SharedLogOptions) {
    this.#options = options;
    this.#gaps = new ToldGaps(options.metrics, options.log);
  }

  /** Why nothing can be read at the moment. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /**
   * The batch after `cursor`; an empty one when there is nothing. Tries until the log can be read; `undefined`
   * when it was told to end.
   * @param wait first waits for a record: all there was has been read.
   */
  async next(extension: string, cursor: Cursor, wait: boolean): Promise<Batch | undefined> {
    const key = `${cursor.nextSeq} ${cursor.lastRecord ?? ''} ${wait}`;
    for (;;) {
      const shelved = this.#shelf.find(one => one.key === key);
      if (shelved) return this.#take(extension, shelved);
      if (!this.#sharing.has(extension) && cursor.nextSeq < this.#newestSeq) return this.#read(cursor, wait);
      this.#sharing.add(extension);
      if (this.#shelf.length < SHELF) return this.#take(extension, this.#put(key, cursor, wait));
      await this.#makeRoom();
      if (this.#options.signal.aborted) return undefined;
    }
  }

  #take(extension: string, shelved: Shelved): Promise<Batch | undefined> {
    this.#sharing.add(extension);
    // Who takes a batch is done with those before it.
    for (const one of this.#shelf) {
      one.awaited.delete(extension);
      if (one === shelved) break;
    }
    // What all have taken is let go of at once.
    while (this.#shelf[0]?.awaited.size === 0) this.#shelf.shift();
    for (const wake of this.#wake.splice(0)) wake();
    return shelved.batch;
  }

  #put(key: string, cursor: Cursor, wait: boolean): Shelved {
    this.#newestSeq = cursor.nextSeq;
    const batch = this.#read(cursor, wait).then(read => {
      // Nothing to share: who comes next asks the log itself.
      if (!read || read.items.length === 0) this.#remove(shelved);
      return read;
    });
    const shelved = { key, nextSeq: cursor.nextSeq, batch, awaited: new Set(this.#sharing) };
    this.#shelf.push(shelved);
    return shelved;
  }

  #remove(shelved: Shelved): void {
    const index = this.#shelf.indexOf(shelved);
    if (index >= 0) this.#shelf.splice(index, 1);
  }

  /** Waits until somebody has taken a batch; who has not taken the oldest one after a while is left behind. */
  async #makeRoom(): Promise<void> {
    const [oldest] = this.#shelf;
    if (oldest === undefined) return;
    const patience = new AbortController();
    const { signal } = patience;
    const woken = new Promise<'woken'>(resolve => this.#wake.push(() => resolve('woken')));
    const late = sleep(LEFT_BEHIND_AFTER_MS, signal).then(() => 'late' as const);
    const how = await Promise.race([woken, late]);
    patience.abort();
    if (how === 'woken') return;
    for (const extension of oldest.awaited) this.#leaveBehind(extension);
    this.#remove(oldest);
  }

  #leaveBehind(extension: string): void {
    this.#sharing.delete(extension);
    for (const { awaited } of this.#shelf) awaited.delete(extension);
  }

  async #read(cursor: Cursor, wait: boolean): Promise<Batch | undefined> {
    const { reader, signal, log, onLost } = this.#options;
    const onTrouble = (trouble: string | undefined): void => {
      this.#trouble = trouble;
      if (trouble !== undefined) onLost();
    };
    const insistence = { what: 'read the record log', signal, log, onTrouble };
    const batch = await insist(insistence, async () => {
      await this.#note();
      const known = wait && (await orAborted(reader.grown(cursor.nextSeq, signal), signal)) === true;
      const read = await reader.read(cursor);
      if (read.items.length === 0 && (known || !read.atEnd)) {
        throw new Error(`it has grown beyond record ${cursor.nextSeq}, and shows nothing from there on`);
      }
      return read;
    });
    if (!batch) return undefined;
    this.#gaps.tell(batch, cursor);
    this.#count(batch);
    return batch;
  }

  /** Records that several extensions read count once. */
  #count({ gap, next, items }: Batch): void {
    if (gap === 'other') this.#countedSeq = 0;
    const news = Math.min(items.length, next.nextSeq - this.#countedSeq);
    if (news <= 0) return;
    this.#options.metrics.records.inc(news);
    this.#countedSeq = next.nextSeq;
  }

  async #note(): Promise<void> {
    const { lowest, reader } = this.#options;
    const cursor = lowest();
    const noted = this.#noted;
    if (noted?.nextSeq === cursor.nextSeq) return;
    const records = Math.abs(cursor.nextSeq - (noted?.nextSeq ?? -Infinity));
    if (records < NOTE_EVERY_RECORDS && performance.now() - this.#notedAt < NOTE_EVERY_MS) return;
    await reader.note(cursor);
    this.#noted = cursor;
    this.#notedAt = performance.now();
  }
}
