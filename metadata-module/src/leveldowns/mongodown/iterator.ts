/**
 * An iterator over an open store.
 *
 * It reads a page at a time, and nothing is left open on the server in between, so hanging up costs little.
 * The first pages are read when the one before is used up, as most listings end with them. Who reads on has
 * the next page on its way while one is handed out. A page is one moment's data: whole batches, and all that
 * was acknowledged before it was asked for. A later page is of a later moment. So, of changes that are made
 * while the iterator is open:
 *
 * - a key that is there throughout is seen exactly once, with a value that it had since the iterator was
 *   made;
 * - a key that is put or deleted meanwhile is seen once or not at all;
 * - what was acknowledged before the iterator was made is seen, whole.
 */
import { AbstractIterator, type Callback, type StoreBase } from '../abstract-leveldown.js';
import type { Bounds, PageRequest } from './data-reader.js';
import { EntrySizes } from './entry-sizes.js';
import { decodeKey, encodeKey } from './key-encoding.js';
import { isWithin, startingAt, type MergedPage, type PageEntry } from './merged-page.js';

/**
 * Keys of the first page, and of those after it: a short listing reads little, a long one has few round
 * trips.
 */
const FIRST_PAGE = 100;
const NEXT_PAGE = 1000;
/** After so many pages the next one is asked for, once this part of the present one was handed out. */
const PAGES_ALONE = 2;
const ASK_AFTER = 1 / 4;
/** Beside a page with more bytes than these none is read ahead: many readers may be slow at once. */
const AHEAD_BYTES = 1024 * 1024;

export interface IteratorSettings {
  readonly bounds: Bounds;
  readonly reverse: boolean;
  /** -1: none. */
  readonly limit: number;
  readonly keys: boolean;
  readonly values: boolean;
  readonly keyAsBuffer: boolean;
  readonly valueAsBuffer: boolean;
  /** Whether a page may be held besides the one that is handed out. */
  readonly readAhead: boolean;
  /** What a page may take, as far as that is known before. */
  readonly pageBytes: number;
  /** Of the pages with values that all iterators of the store have read. */
  readonly sizes: EntrySizes;
}

export type ReadPage = (request: PageRequest) => Promise<MergedPage>;
type Next = Callback<[key: Buffer | string, value: Buffer | string]>;

export class MongoIterator extends AbstractIterator {
  readonly #settings: IteratorSettings;
  readonly #readPage: ReadPage;
  #entries: readonly PageEntry[] = [];
  #at = 0;
  /** What is not read yet; `undefined` at the end. */
  #rest: Bounds | undefined;
  /** The page that begins there, on its way. */
  #ahead: Promise<MergedPage> | undefined;
  /** Whether the next page may be asked for while the present one is handed out; once for each. */
  #mayAskAhead = false;
  readonly #underWay = new Set<Promise<MergedPage>>();
  /** Of its own pages. */
  readonly #sizes = new EntrySizes();
  #pages = 0;
  #left: number;
  #ended = false;
  #reading: Promise<void> | undefined;

  constructor(db: StoreBase, settings: IteratorSettings, readPage: ReadPage) {
    super(db);
    this.#settings = settings;
    this.#readPage = readPage;
    this.#rest = settings.bounds;
    this.#left = settings.limit < 0 ? Infinity : settings.limit;
  }

  _next(callback: Next): void {
    const entry = this.#take();
    if (
      entry !== undefined ||
      this.#left === 0 ||
      (this.#rest === undefined && this.#reading === undefined)
    ) {
      process.nextTick(() => this.#answer(entry, callback));
      return;
    }
    this.#reading = this.#read().then(
      () => {
        this.#reading = undefined;
        this.#answer(this.#take(), callback);
      },
      (err: unknown) => {
        this.#reading = undefined;
        callback(err instanceof Error ? err : new Error(String(err)));
      },
    );
  }

  _seek(target: Buffer | string): void {
    const id = encodeKey(target);
    if (id === '') throw new Error('cannot seek() to an empty target');
    const { bounds, reverse } = this.#settings;
    this.#entries = [];
    this.#at = 0;
    this.#ahead = undefined;
    this.#mayAskAhead = false;
    this.#rest = isWithin(id, bounds) ? startingAt(bounds, id, reverse) : undefined;
  }

  _end(callback: Callback): void {
    this.#ended = true;
    this.#entries = [];
    this.#rest = undefined;
    this.#ahead = undefined;
    void Promise.allSettled([this.#reading, ...this.#underWay]).then(() => callback());
  }

  #take(): PageEntry | undefined {
    if (this.#left === 0) return undefined;
    const entry = this.#entries[this.#at];
    if (entry === undefined) return undefined;
    this.#at += 1;
    this.#left -= 1;
    if (this.#mayAskAhead && this.#at >= this.#entries.length * ASK_AFTER) this.#readAhead();
    return entry;
  }

  /** Reads until there is an entry, or the end. */
  async #read(): Promise<void> {
    while (this.#at >= this.#entries.length && this.#rest !== undefined) {
      const reading = this.#ahead ?? this.#fetch(this.#rest, this.#left);
      this.#ahead = undefined;
      const page = await reading;
      if (this.#ended) return;
      this.#pages += 1;
      this.#entries = page.entries;
      this.#at = 0;
      this.#rest = page.rest;
      const { readAhead, values, sizes } = this.#settings;
      if (values) sizes.note(page.entries);
      const bytes = this.#sizes.note(page.entries);
      this.#mayAskAhead = readAhead && this.#pages > PAGES_ALONE && bytes <= AHEAD_BYTES;
    }
  }

  #readAhead(): void {
    this.#mayAskAhead = false;
    const left = this.#left - (this.#entries.length - this.#at);
    if (this.#rest === undefined || left <= 0) return;
    const page = this.#fetch(this.#rest, left);
    this.#ahead = page;
    page.catch(() => {
      // Who comes to that page later asks for it anew, and one who waits for it hears of it.
      if (this.#ahead === page) this.#ahead = undefined;
    });
  }

  /** @param left entries that are wanted at most. */
  #fetch(bounds: Bounds, left: number): Promise<MergedPage> {
    const { reverse, values, pageBytes, sizes } = this.#settings;
    const fitting = Math.min(this.#sizes.fitting(pageBytes), values ? sizes.fitting(pageBytes) : Infinity);
    const limit = Math.min(this.#pages === 0 ? FIRST_PAGE : NEXT_PAGE, left, fitting);
    const page = this.#readPage({ bounds, reverse, limit, values });
    this.#underWay.add(page);
    const done = (): void => void this.#underWay.delete(page);
    page.then(done, done);
    return page;
  }

  #answer(entry: PageEntry | undefined, callback: Next): void {
    if (entry === undefined) {
      callback(null);
      return;
    }
    const [id, value] = entry;
    const { keys, values, keyAsBuffer, valueAsBuffer } = this.#settings;
    callback(
      null,
      keys ? asWanted(decodeKey(id), keyAsBuffer) : '',
      values ? asWanted(value, valueAsBuffer) : '',
    );
  }
}

function asWanted(bytes: Buffer, asBuffer: boolean): Buffer | string {
  return asBuffer ? bytes : bytes.toString('utf8');
}
