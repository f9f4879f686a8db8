/**
 * The objects that clients see in a bucket's database. Beside the current value of each key it holds the
 * versions of keys, `<key>\0<version id>`, and for a while a place holder where a current value was deleted:
 * then the newest of the key's versions counts.
 */
import type { KeyRange } from '../metadata-client.js';
import { type ListedEntry, listedValue, type ListedValue } from './listed-value.js';
import { type ReadRange, SkippingReader } from './skipping-reader.js';

const VERSION_SEPARATOR = '\0';

export interface ListedObject {
  readonly key: string;
  readonly value: ListedValue;
}

/** Objects in order of their keys. Delete markers and versions are passed over. */
export class CurrentObjects {
  readonly #reader: SkippingReader;

  constructor(read: ReadRange, range: KeyRange) {
    this.#reader = new SkippingReader(read, range);
  }

  /** Objects from here on whose keys begin with `prefix` are left out. */
  skipPrefix(prefix: string): void {
    this.#reader.skipPrefix(prefix);
  }

  /** A promise only when something must be waited for: a page has a thousand of them. */
  next(): ListedObject | Promise<ListedObject | undefined> {
    for (let item = this.#reader.atHand(); item !== undefined; item = this.#reader.atHand()) {
      const { key } = item;
      if (key.includes(VERSION_SEPARATOR)) break;
      const value = listedValue(item);
      if (value.isPHD === true) break;
      this.#pass(key);
      if (value.isDeleteMarker !== true) return { key, value };
    }
    return this.#next();
  }

  async #next(): Promise<ListedObject | undefined> {
    for (;;) {
      const item = await this.#reader.peek();
      if (!item) return undefined;
      const { key } = item;
      const separator = key.indexOf(VERSION_SEPARATOR);
      if (separator >= 0) {
        this.#reader.skipPrefix(key.slice(0, separator + 1));
        continue;
      }
      const stored = listedValue(item);
      this.#reader.pass();
      const value = stored.isPHD === true ? await this.#newestVersion(key) : stored;
      this.#reader.skipPrefix(key + VERSION_SEPARATOR);
      if (value && value.isDeleteMarker !== true) return { key, value };
    }
  }

  /** Goes on behind a key that is at hand, and its versions. */
  #pass(key: string): void {
    this.#reader.pass();
    this.#reader.skipPrefix(key + VERSION_SEPARATOR);
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  /** Newer ids sort first; the null version, whose key has no id, sorts in by the id in its value. */
  async #newestVersion(key: string): Promise<ListedValue | undefined> {
    const first = await this.#takeVersion(key);
    if (first?.key !== key + VERSION_SEPARATOR) return first && listedValue(first);
    const nullVersion = listedValue(first);
    const second = await this.#takeVersion(key);
    if (!second) return nullVersion;
    const secondId = second.key.slice(key.length + 1);
    const nullIsNewer = nullVersion.versionId !== undefined && nullVersion.versionId < secondId;
    return nullIsNewer ? nullVersion : listedValue(second);
  }

  async #takeVersion(key: string): Promise<ListedEntry | undefined> {
    const item = await this.#reader.peek();
    return item?.key.startsWith(key + VERSION_SEPARATOR) ? this.#reader.next() : undefined;
  }
}
