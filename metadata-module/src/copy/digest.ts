/** Number, size and SHA-256 of entries in their order. */
import { createHash } from 'node:crypto';
import type { ByteEntry } from '../leveldowns/level-calls.js';

export interface Totals {
  readonly entries: number;
  /** Of keys and values. */
  readonly bytes: number;
  readonly sha256: string;
}

export class Digest {
  readonly #hash = createHash('sha256');
  #entries = 0;
  #bytes = 0;

  add({ key, value }: ByteEntry): void {
    const lengths = Buffer.allocUnsafe(8);
    lengths.writeUInt32BE(key.length, 0);
    lengths.writeUInt32BE(value.length, 4);
    this.#hash.update(lengths).update(key).update(value);
    this.#entries += 1;
    this.#bytes += key.length + value.length;
  }

  /** Call it once, in the end. */
  totals(): Totals {
    return { entries: this.#entries, bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }
}
