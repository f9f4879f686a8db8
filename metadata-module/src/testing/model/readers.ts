/** Readers beside the calls of a script: what they were given whole is kept, to be held to the rules. */
import assert from 'node:assert/strict';
import { isErrorType } from '@zenko-modules/common/errors';
import type { MetadataStore } from '../../metadata-store.js';
import type { LogItem } from '../../record-log/record.js';
import { Database } from '../../store/key-space.js';
import { canonical, type Content } from './calls.js';

const BUCKET = 'bucket';
/** The keys of all databases with a name, without the log, whose keys sort before them. */
const NAMED = { gt: '!..recordLogs~' };

/** The content of a database, or the keys of all that have a name. */
export type Sight =
  { readonly entries: readonly (readonly [string, string])[] } | { readonly rawKeys: readonly string[] };

export interface SeenBeside {
  /** By reader, in the order in which it saw them. */
  readonly sights: readonly (readonly Sight[])[];
  readonly records: readonly LogItem[];
  /** Reads that were refused or cut short. */
  readonly failures: number;
}

/** Whether the sight is one of this state, canonical. */
export function agrees(sight: Sight, state: Content): boolean {
  return JSON.stringify(sight) === JSON.stringify('entries' in sight ? listed(state) : rawKeysOf(state));
}

export class Readers {
  readonly #store: MetadataStore;
  readonly #reading: Promise<Sight[][]>;
  readonly #records: LogItem[] = [];
  #nextRecord: number;
  #failures = 0;
  #stop = false;

  /** They begin at once. @param nextRecord the first record that is not there yet. */
  constructor(store: MetadataStore, nextRecord: number) {
    this.#store = store;
    this.#nextRecord = nextRecord;
    this.#reading = Promise.all([
      this.#repeat(() => this.#list()),
      this.#repeat(() => this.#list()),
      this.#repeat(() => this.#rawKeys()),
      this.#repeat(() => this.#follow()),
    ]);
    // `finish` tells of it.
    this.#reading.catch(() => undefined);
  }

  /** Ends the reads that are under way and stops. */
  async finish(): Promise<SeenBeside> {
    this.#stop = true;
    const sights = await this.#reading;
    return { sights, records: this.#records, failures: this.#failures };
  }

  async #repeat(read: () => Promise<Sight | undefined>): Promise<Sight[]> {
    const sights: Sight[] = [];
    let last = '';
    while (!this.#stop) {
      try {
        const sight = await read();
        const text = JSON.stringify(sight);
        if (sight && text !== last) sights.push(sight);
        last = text;
      } catch (err) {
        if (!isErrorType(err, 'ServiceUnavailable')) throw err;
        this.#failures += 1;
      }
      await pause();
    }
    return sights;
  }

  async #list(): Promise<Sight> {
    const entries = await slowly(await this.#store.databases.list(new Database([BUCKET]), {}));
    return { entries: entries.map(({ key, value }) => [key, canonical(value)]) };
  }

  async #rawKeys(): Promise<Sight> {
    return { rawKeys: await slowly(await this.#store.databases.listRawKeys(NAMED)) };
  }

  async #follow(): Promise<undefined> {
    const { info, log } = await this.#store.recordLog.read({ startSeq: this.#nextRecord });
    if (info.start === null || info.end === null) return;
    assert.equal(info.start, this.#nextRecord);
    for (let next = await log.next(); !next.done; next = await log.next()) {
      assert.ok(!('damaged' in next.value));
      this.#records.push(next.value);
      this.#nextRecord += 1;
      await pause();
    }
    assert.equal(this.#nextRecord, info.end + 1, 'a read that ends covers what it said');
  }
}

/** Reads to the end, with time for the store to be closed in between. */
async function slowly<T>(iterator: AsyncIterator<T>): Promise<T[]> {
  const items: T[] = [];
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    items.push(next.value);
    await pause();
  }
  return items;
}

function pause(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}

function listed(state: Content): Sight {
  return { entries: [...(state.get(BUCKET) ?? [])] };
}

function rawKeysOf(state: Content): Sight {
  const keys = [...state]
    .filter(([db]) => db !== '')
    .flatMap(([db, entries]) => [...entries.keys()].map(key => `!${db}!${key}`));
  return { rawKeys: keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))) };
}
