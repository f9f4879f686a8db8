/**
 * Where each blob lies: key to segment, place and length, in 32 bytes a slot. A JavaScript Map takes five times as
 * much, and its objects are work for the garbage collector.
 *
 * Open addressing with linear probing, in 256 tables by the key's first byte, so that a table that grows is small.
 */
import { ALIGNMENT, KEY_BYTES } from '../record-format.js';

/** Where a record begins in its segment, and how many bytes of data it has. */
export interface Location {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

/** The length of a blob whose data is lost. */
export const LOST = 0xffff_ffff;

const TABLES = 256;
const KEY_WORDS = KEY_BYTES / 4;
/** Key, segment (0: the slot is free), offset in units of the records' alignment, length. */
const SLOT_WORDS = KEY_WORDS + 3;
const FIRST_SLOTS = 16;
const MAX_LOAD = 0.85;
const GROWTH = 1.5;

interface Table {
  words: Uint32Array;
  slots: number;
  used: number;
}

export class BlobIndex {
  readonly #tables: Table[] = Array.from({ length: TABLES }, () => emptyTable(FIRST_SLOTS));
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of memory that the tables take. */
  get bytes(): number {
    return this.#tables.reduce((sum, { words }) => sum + words.byteLength, 0);
  }

  get(key: Buffer): Location | undefined {
    const table = this.#tableOf(key);
    const at = find(table, key);
    return isFree(table, at) ? undefined : locationAt(table, at);
  }

  /** Returns the location that it replaces. */
  set(key: Buffer, { segment, offset, length }: Location): Location | undefined {
    const table = this.#tableOf(key);
    let at = find(table, key);
    const before = isFree(table, at) ? undefined : locationAt(table, at);
    if (before === undefined) {
      if (table.used + 1 > table.slots * MAX_LOAD) {
        grow(table);
        at = find(table, key);
      }
      table.used += 1;
      this.#size += 1;
      for (let word = 0; word < KEY_WORDS; word += 1) table.words[at + word] = key.readUInt32LE(word * 4);
    }
    table.words[at + KEY_WORDS] = segment;
    table.words[at + KEY_WORDS + 1] = offset / ALIGNMENT;
    table.words[at + KEY_WORDS + 2] = length;
    return before;
  }

  /** Returns the location that the key had. */
  delete(key: Buffer): Location | undefined {
    const table = this.#tableOf(key);
    const at = find(table, key);
    if (isFree(table, at)) return undefined;
    const before = locationAt(table, at);
    closeGap(table, at);
    table.used -= 1;
    this.#size -= 1;
    return before;
  }

  /** The keys of one of the 256 tables, as they stand now. */
  keysOfTable(table: number): Buffer[] {
    const { words, slots } = this.#tables[table] ?? emptyTable(0);
    const keys: Buffer[] = [];
    for (let at = 0; at < slots * SLOT_WORDS; at += SLOT_WORDS) {
      if (words[at + KEY_WORDS] === 0) continue;
      const key = Buffer.alloc(KEY_BYTES);
      for (let word = 0; word < KEY_WORDS; word += 1) key.writeUInt32LE(words[at + word] ?? 0, word * 4);
      keys.push(key);
    }
    return keys;
  }

  #tableOf(key: Buffer): Table {
    const table = this.#tables[key[0] ?? 0];
    if (table === undefined || key.length !== KEY_BYTES) throw new RangeError('a key has 20 bytes');
    return table;
  }
}

function emptyTable(slots: number): Table {
  return { words: new Uint32Array(slots * SLOT_WORDS), slots, used: 0 };
}

/** Where the key's slot begins, or the free one where it would be put. */
function find({ words, slots }: Table, key: Buffer): number {
  const first = key.readUInt32LE(4);
  let slot = homeOf(first, slots);
  for (;;) {
    const at = slot * SLOT_WORDS;
    if (words[at + KEY_WORDS] === 0 || (words[at + 1] === first && isKeyAt(words, at, key))) return at;
    slot = slot + 1 === slots ? 0 : slot + 1;
  }
}

/** Keys are random: any of their words serves as their hash. Stirred all the same, as a copy may bring others. */
function homeOf(word: number, slots: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b);
  hash ^= hash >>> 13;
  return (hash >>> 0) % slots;
}

function isKeyAt(words: Uint32Array, at: number, key: Buffer): boolean {
  for (let word = 0; word < KEY_WORDS; word += 1) {
    if (words[at + word] !== key.readUInt32LE(word * 4)) return false;
  }
  return true;
}

function isFree({ words }: Table, at: number): boolean {
  return words[at + KEY_WORDS] === 0;
}

function locationAt({ words }: Table, at: number): Location {
  return {
    segment: words[at + KEY_WORDS] ?? 0,
    offset: (words[at + KEY_WORDS + 1] ?? 0) * ALIGNMENT,
    length: words[at + KEY_WORDS + 2] ?? 0,
  };
}

function grow(table: Table): void {
  const larger = emptyTable(Math.ceil(table.slots * GROWTH));
  const key = Buffer.alloc(KEY_BYTES);
  for (let at = 0; at < table.slots * SLOT_WORDS; at += SLOT_WORDS) {
    if (isFree(table, at)) continue;
    for (let word = 0; word < KEY_WORDS; word += 1) key.writeUInt32LE(table.words[at + word] ?? 0, word * 4);
    larger.words.set(table.words.subarray(at, at + SLOT_WORDS), find(larger, key));
  }
  table.words = larger.words;
  table.slots = larger.slots;
}

/** Moves back what follows the slot at `gap`, as far as it would not be found behind a free one. */
function closeGap({ words, slots }: Table, gap: number): void {
  let free = gap / SLOT_WORDS;
  let slot = free;
  for (;;) {
    slot = slot + 1 === slots ? 0 : slot + 1;
    const at = slot * SLOT_WORDS;
    if (words[at + KEY_WORDS] === 0) break;
    const home = homeOf(words[at + 1] ?? 0, slots);
    const staysReachable = free <= slot ? free < home && home <= slot : free < home || home <= slot;
    if (staysReachable) continue;
    words.copyWithin(free * SLOT_WORDS, at, at + SLOT_WORDS);
    free = slot;
  }
  words.fill(0, free * SLOT_WORDS, (free + 1) * SLOT_WORDS);
}
