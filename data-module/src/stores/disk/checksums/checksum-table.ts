/**
 * The checksums of many blobs in little memory: 20 bytes each, and room for as many again at most. A key is told by 64 bits
 * of it.
 */
import type { BlobChecksum } from '../../../data-store.js';

/** Words of a place: two of the key, the checksum, the length (low, high). */
const WORDS = 5;
/** In the high word of a length: the place is taken. */
const TAKEN = 0x80000000;
const FIRST_PLACES = 1024;
const MOST_FILLED = 0.7;

export class ChecksumTable {
  #words = new Uint32Array(FIRST_PLACES * WORDS);
  #places = FIRST_PLACES;
  #count = 0;
  readonly #maxCount: number;

  /** @param maxCount what is added beyond so many is passed over */
  constructor(maxCount: number) {
    this.#maxCount = maxCount;
  }

  get count(): number {
    return this.#count;
  }

  /** Of a key there may be several. What is there already changes nothing. `false` when there is no room. */
  add(key: string, { length, checksum }: BlobChecksum): boolean {
    if (this.#count >= this.#maxCount) return false;
    if (this.#count >= this.#places * MOST_FILLED) this.#grow();
    const [first, second] = hashesOf(key);
    this.#put(first, second, checksum, length >>> 0, (Math.floor(length / 2 ** 32) | TAKEN) >>> 0);
    return true;
  }

  find(key: string): BlobChecksum[] {
    const found: BlobChecksum[] = [];
    const [first, second] = hashesOf(key);
    for (let place = first & (this.#places - 1); this.#isTaken(place); place = this.#after(place)) {
      const at = place * WORDS;
      if (this.#words[at] !== first || this.#words[at + 1] !== second) continue;
      const [, , checksum = 0, low = 0, high = 0] = this.#words.subarray(at, at + WORDS);
      found.push({ length: (high & ~TAKEN) * 2 ** 32 + low, checksum });
    }
    return found;
  }

  #put(...words: [number, number, number, number, number]): void {
    let place = words[0] & (this.#places - 1);
    for (; this.#isTaken(place); place = this.#after(place))
      if (words.every((word, index) => this.#words[place * WORDS + index] === word)) return;
    this.#words.set(words, place * WORDS);
    this.#count += 1;
  }

  #isTaken(place: number): boolean {
    return ((this.#words[place * WORDS + 4] ?? 0) & TAKEN) !== 0;
  }

  #after(place: number): number {
    return (place + 1) & (this.#places - 1);
  }

  #grow(): void {
    const before = this.#words;
    this.#places *= 2;
    this.#words = new Uint32Array(this.#places * WORDS);
    this.#count = 0;
    for (let at = 0; at < before.length; at += WORDS) {
      const [first = 0, second = 0, checksum = 0, low = 0, high = 0] = before.subarray(at, at + WORDS);
      if ((high & TAKEN) !== 0) this.#put(first, second, checksum, low, high);
    }
  }
}

/** Two hashes that have nothing to do with each other. */
function hashesOf(key: string): [number, number] {
  let [first, second] = [0x811c9dc5, 5381];
  for (let i = 0; i < key.length; i += 1) {
    const code = key.charCodeAt(i);
    first = Math.imul(first ^ code, 0x01000193);
    second = (Math.imul(second, 0x5bd1e995) + code) ^ (second >>> 15);
  }
  return [(first ^ (first >>> 16)) >>> 0, second >>> 0];
}
