/**
 * The versions of the objects in a bucket's database: keys in order, each key's versions newest first. The current
 * value of a key is a copy of its newest version, or a version of its own when it has none of that id.
 */
import type { KeyRange } from '../metadata-client.js';
import { type ListedEntry, listedValue, type ListedValue } from './listed-value.js';
import { type ReadRange, SkippingReader } from './skipping-reader.js';

const SEPARATOR = '\0';

export interface ListedVersion {
  readonly key: string;
  readonly value: ListedValue;
  readonly isLatest: boolean;
}

export class ObjectVersions {
  readonly #reader: SkippingReader;
  readonly #versions: AsyncGenerator<ListedVersion, void, undefined>;

  constructor(read: ReadRange, range: KeyRange) {
    this.#reader = new SkippingReader(read, range);
    this.#versions = this.#read();
  }

  /** Objects from here on whose keys begin with `prefix` are left out. */
  skipPrefix(prefix: string): void {
    this.#reader.skipPrefix(prefix);
  }

  async next(): Promise<ListedVersion | undefined> {
    const next = await this.#versions.next();
    return next.done === true ? undefined : next.value;
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  async *#read(): AsyncGenerator<ListedVersion, void, undefined> {
    for (let first = await this.#reader.peek(); first; first = await this.#reader.peek()) {
      yield* this.#versionsOf(keyOf(first));
    }
  }

  async *#versionsOf(key: string): AsyncGenerator<ListedVersion, void, undefined> {
    let isLatest = true;
    let hasNull = false;
    const version = (value: ListedValue): ListedVersion[] => {
      // A key has one null version: another is what it took the place of, and could not be deleted yet.
      if (hasNull && value.isNull === true) return [];
      hasNull ||= value.isNull === true || value.versionId === undefined;
      const listed = { key, value, isLatest };
      isLatest = false;
      return [listed];
    };
    const current = await this.#take(item => item.key === key);
    // One under the key without an id sorts in by the id in its value.
    let nullVersion = await this.#take(item => item.key === key + SEPARATOR);
    const isOfItsOwn = current !== undefined && current.isPHD !== true;
    // It is a copy when it has an id, unless it is null: then it may be the only one.
    const waits = isOfItsOwn && current.isNull === true ? current : undefined;
    if (isOfItsOwn && current.versionId === undefined) yield* version(current);
    else if (waits) yield* version(waits);
    for (;;) {
      const next = await this.#take(item => item.key.startsWith(key + SEPARATOR));
      if (!next) break;
      if (waits && next.versionId === waits.versionId) continue;
      if (nullVersion && isNewer(nullVersion, next)) {
        yield* version(nullVersion);
        nullVersion = undefined;
      }
      yield* version(next);
    }
    if (nullVersion) yield* version(nullVersion);
  }

  async #take(matches: (item: ListedEntry) => boolean): Promise<ListedValue | undefined> {
    const item = await this.#reader.peek();
    if (!item || !matches(item)) return undefined;
    await this.#reader.next();
    return listedValue(item);
  }
}

function keyOf({ key }: ListedEntry): string {
  const separator = key.indexOf(SEPARATOR);
  return separator < 0 ? key : key.slice(0, separator);
}

/** Newer ids sort first. */
function isNewer(a: ListedValue, b: ListedValue): boolean {
  return a.versionId !== undefined && b.versionId !== undefined && a.versionId < b.versionId;
}
