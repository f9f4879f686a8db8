/** An iterator over the data of the moment at which it was made. */
import { toBuffer, toText, type Bytes } from './bytes.js';
import {
  AbstractIterator,
  type Callback,
  type IteratorOptions,
  type RangeOptions,
} from '../abstract-leveldown.js';
import type { JsonDown } from './json-down.js';
import { SortedMap, type Cursor, type MapEntry } from './sorted-map.js';

/** After so many entries the event loop gets a turn. */
const ENTRIES_PER_TURN = 128;

type Output = Buffer | string | undefined;

export class JsonIterator extends AbstractIterator {
  readonly #options: IteratorOptions<Bytes>;
  #entries: RangeCursor | undefined;
  /** Where to begin, when that was set before the data was there. */
  #target: Bytes | undefined;
  readonly #later: Promise<SortedMap> | undefined;
  #served = 0;

  /** @param map a promise when the data of this moment is not known yet; `next` waits for it. */
  constructor(store: JsonDown, map: SortedMap | Promise<SortedMap>, options: IteratorOptions<Bytes>) {
    super(store);
    this.#options = options;
    if (map instanceof SortedMap) {
      this.#entries = new RangeCursor(map, options);
      return;
    }
    this.#later = map;
    // `next` reports a failure; an iterator that is never read has none.
    map.catch(() => undefined);
  }

  _next(callback: Callback<[key: Output, value: Output]>): void {
    if (this.#entries !== undefined) {
      this.#serve(this.#entries, callback);
      return;
    }
    this.#later?.then(
      map => {
        const entries = new RangeCursor(map, this.#options);
        if (this.#target !== undefined) entries.seek(this.#target);
        this.#entries = entries;
        this.#serve(entries, callback);
      },
      (err: unknown) => process.nextTick(callback, err),
    );
  }

  _seek(target: Bytes): void {
    if (target.length === 0) throw new Error('cannot seek() to an empty target');
    this.#target = target;
    this.#entries?.seek(target);
  }

  #serve(entries: RangeCursor, callback: Callback<[key: Output, value: Output]>): void {
    const entry = entries.next();
    const { keys, values, keyAsBuffer, valueAsBuffer } = this.#options;
    const key = keys && entry !== undefined ? output(entry.key, keyAsBuffer) : undefined;
    const value = values && entry !== undefined ? output(entry.value, valueAsBuffer) : undefined;
    this.#served += 1;
    if (this.#served % ENTRIES_PER_TURN === 0) setImmediate(callback, undefined, key, value);
    else process.nextTick(callback, undefined, key, value);
  }
}

/** The entries of a map within a range, up to a limit. */
export class RangeCursor {
  readonly #cursor: Cursor;
  readonly #range: RangeOptions<Bytes>;
  #left: number;
  #outside = false;

  /** Bounds of no bytes are none, as in leveldown. */
  constructor(map: SortedMap, range: RangeOptions<Bytes>) {
    this.#range = range;
    this.#left = range.limit < 0 ? Infinity : range.limit;
    this.#cursor = map.cursor(range.reverse);
    const starts = (range.reverse ? [range.lt, range.lte] : [range.gt, range.gte]).filter(isBound).sort();
    const start = range.reverse ? starts.at(0) : starts.at(-1);
    if (start !== undefined) this.#cursor.seek(start);
  }

  next(): MapEntry | undefined {
    if (this.#outside || this.#left <= 0) return undefined;
    let entry = this.#cursor.next();
    // The bound at which it starts may be one that leaves the key itself out.
    while (entry !== undefined && this.#isBefore(entry.key)) entry = this.#cursor.next();
    if (entry === undefined || !this.#contains(entry.key)) return undefined;
    this.#left -= 1;
    return entry;
  }

  /** Goes on at or after `target`; out of the range there is nothing. */
  seek(target: Bytes): void {
    this.#outside = !this.#contains(target);
    this.#cursor.seek(target);
  }

  #isBefore(key: Bytes): boolean {
    return this.#range.reverse ? !this.#isBelow(key) : !this.#isAbove(key);
  }

  #contains(key: Bytes): boolean {
    return this.#isAbove(key) && this.#isBelow(key);
  }

  #isAbove(key: Bytes): boolean {
    const { gt, gte } = this.#range;
    return !(isBound(gt) && key <= gt) && !(isBound(gte) && key < gte);
  }

  #isBelow(key: Bytes): boolean {
    const { lt, lte } = this.#range;
    return !(isBound(lt) && key >= lt) && !(isBound(lte) && key > lte);
  }
}

function isBound(bound: Bytes | undefined): bound is Bytes {
  return bound !== undefined && bound !== '';
}

function output(bytes: Bytes, asBuffer: boolean): Buffer | string {
  return asBuffer ? toBuffer(bytes) : toText(bytes);
}
