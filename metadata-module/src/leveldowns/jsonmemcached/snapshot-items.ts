/** The items of one snapshot: its text, cut into pieces of one size, as `<prefix>:1`, `<prefix>:2`, ... */
import { splitLines } from '../jsondown/lines.js';
import type { StoredText } from '../jsondown/storage.js';
import { forAll, ITEM_BYTES, type Items } from './items.js';

/** So many items in a row that are not there are the end of a snapshot that was never completed. */
const GAP = 16;

export class SnapshotItems {
  readonly #items: Items;
  readonly #prefix: string;

  constructor(items: Items, prefix: string) {
    this.#items = items;
    this.#prefix = prefix;
  }

  keys(count: number): string[] {
    return Array.from({ length: count }, (_, index) => `${this.#prefix}:${index + 1}`);
  }

  text(count: number): StoredText {
    const name = `the snapshot in memcached (${this.#prefix})`;
    return {
      name,
      missing: `${name} is missing`,
      lines: () => splitLines(this.#items.read(this.keys(count))),
    };
  }

  /** Stores `text`; what was stored of it is deleted again when it fails or `signal` is aborted. */
  async write(text: AsyncIterable<string>, signal: AbortSignal): Promise<{ items: number; bytes: number }> {
    let items = 0;
    let bytes = 0;
    const store = (piece: Buffer): Promise<void> => {
      signal.throwIfAborted();
      items += 1;
      bytes += piece.length;
      return this.#items.set(`${this.#prefix}:${items}`, piece);
    };
    try {
      await forAll(cut(text), store);
      return { items, bytes };
    } catch (err) {
      await this.remove(items).catch(() => undefined); // what stays takes room only; `err` says what is wrong
      throw err;
    }
  }

  async remove(count: number): Promise<void> {
    await this.#items.delete(this.keys(count));
  }

  /** Deletes a snapshot that was not completed, of which nobody knows how much there is. */
  async removePartial(): Promise<void> {
    for (let from = 1; ; from += GAP) {
      const keys = Array.from({ length: GAP }, (_, index) => `${this.#prefix}:${from + index}`);
      if (!(await this.#items.delete(keys))) return;
    }
  }
}

async function* cut(text: AsyncIterable<string>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of text) {
    rest = Buffer.concat([rest, Buffer.from(piece)]);
    for (; rest.length >= ITEM_BYTES; rest = rest.subarray(ITEM_BYTES)) yield rest.subarray(0, ITEM_BYTES);
  }
  if (rest.length > 0) yield rest;
}
