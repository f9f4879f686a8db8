/**
 * Opening: the snapshot, and on top of it what the journals hold, each checked against the other.
 *
 * Only what a crash can leave behind is mended: the last line of the newest journal that was never
 * completed, and journals that were made but not used yet. Everything else that does not fit is damage,
 * and refused with its position; nothing is changed then.
 */
import type { Logger } from '@zenko-modules/common/logger';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import { applyOperations, parseRecord, type JournalRecord } from './journal-format.js';
import { parseSnapshot, type Snapshot } from './snapshot-format.js';
import type { SortedMap } from './sorted-map.js';
import type { JsonStorage, StoredLine, StoredText } from './storage.js';

/** The least that a disk writes at once. */
const SECTOR_BYTES = 512;

/** A store as it was when its last batch had been written. */
export interface StoreState {
  readonly store: string;
  readonly lastBatch: number;
  readonly map: SortedMap;
}

export interface LoadedStore {
  readonly state: StoreState;
  /** The journals since the snapshot. The last one is the newest, which may be written on. */
  readonly generations: readonly number[];
  /** The last line of the newest journal that counts. */
  readonly last: StoredLine;
  /** Bytes of the other journals. */
  readonly olderJournalBytes: number;
  readonly snapshotBytes: number;
  /** The last batch that the snapshot holds. */
  readonly snapshotBatch: number;
}

/**
 * Reads what `storage` holds; `undefined` when no store was ever completed there.
 * @throws LevelError `corrupt` naming the file and the position of what is damaged or missing.
 */
export async function loadStore(storage: JsonStorage, log: Logger): Promise<LoadedStore | undefined> {
  const present = await storage.journals();
  const text = await storage.snapshot();
  if (text === undefined) {
    await refuseUsed(storage, present, 'the snapshot that it belongs to is missing');
    return undefined;
  }
  const snapshot = await parseSnapshot(text);
  const journals = await readJournals(storage, present, snapshot, text.name);
  const generations = journals.map(({ generation }) => generation);
  const unread = present.filter(number => !generations.includes(number));
  const newer = unread.filter(number => number > snapshot.generation);
  await refuseUsed(storage, newer, 'the journal before it does not lead to it: the end of that one was lost');
  const newest = journals.at(-1) as JournalReader;
  if (newest.torn !== undefined) {
    log.warn(
      { file: newest.name, line: newest.torn.line, byte: newest.torn.start },
      'a crash cut off the last line of the journal; its batch was never acknowledged and is dropped',
    );
  }
  for (const number of unread) await storage.removeJournal(number);
  return {
    state: newest.state,
    generations,
    last: newest.last,
    olderJournalBytes: journals.slice(0, -1).reduce((sum, { last }) => sum + last.end, 0),
    snapshotBytes: snapshot.bytes,
    snapshotBatch: snapshot.lastBatch,
  };
}

/** Reads the journal of the snapshot, and from each the one that it leads to. */
async function readJournals(
  storage: JsonStorage,
  present: readonly number[],
  snapshot: Snapshot,
  snapshotName: string,
): Promise<readonly JournalReader[]> {
  const journals: JournalReader[] = [];
  let state: StoreState = snapshot;
  let namedBy = snapshotName;
  let next: number | undefined = snapshot.generation;
  while (next !== undefined) {
    const text = storage.journal(next);
    if (!present.includes(next)) throw corrupt(text.missing, `${namedBy} leads to it`);
    const journal = await JournalReader.read(text, next, state);
    journals.push(journal);
    ({ state, continuedIn: next, name: namedBy } = journal);
  }
  return journals;
}

/** A journal that was made and not used yet holds its first line only. */
async function refuseUsed(storage: JsonStorage, generations: readonly number[], why: string): Promise<void> {
  for (const generation of generations) {
    const text = storage.journal(generation);
    for await (const lines of text.lines()) {
      const second = lines.find(({ line }) => line > 1);
      if (second !== undefined) throw corrupt(text.name, `holds changes, but ${why}`);
    }
  }
}

class JournalReader {
  readonly name: string;
  readonly generation: number;
  #state: StoreState;
  #last: StoredLine | undefined;
  #continuedIn: number | undefined;
  /** The first line that is not what was written. */
  #bad: StoredLine | undefined;

  private constructor(name: string, generation: number, state: StoreState) {
    this.name = name;
    this.generation = generation;
    this.#state = state;
  }

  static async read(text: StoredText, generation: number, before: StoreState): Promise<JournalReader> {
    const reader = new JournalReader(text.name, generation, before);
    for await (const lines of text.lines()) {
      for (const line of lines) reader.#push(line);
    }
    reader.#end();
    return reader;
  }

  get state(): StoreState {
    return this.#state;
  }

  get last(): StoredLine {
    if (this.#last === undefined) throw corrupt(this.name, 'is empty; not even its first line is there');
    return this.#last;
  }

  get continuedIn(): number | undefined {
    return this.#continuedIn;
  }

  /** The line that a crash cut off. */
  get torn(): StoredLine | undefined {
    return this.#bad;
  }

  #push(line: StoredLine): void {
    if (this.#continuedIn !== undefined) throw this.#damaged(line, 'the journal goes on after its end');
    const record = parseRecord(line.bytes);
    if (record === undefined) {
      this.#bad ??= line;
      return;
    }
    if (this.#bad !== undefined) {
      throw this.#damaged(this.#bad, 'the checksum of this line differs from its content');
    }
    this.#accept(line, record);
    this.#last = line;
  }

  #accept(line: StoredLine, record: JournalRecord): void {
    const { store, lastBatch, map } = this.#state;
    if ((record.kind === 'begin') !== (line.line === 1)) {
      throw this.#damaged(
        line,
        'the first line of a journal, and only it, must say where the journal begins',
      );
    }
    switch (record.kind) {
      case 'begin':
        if (record.store !== store) throw this.#damaged(line, 'this journal belongs to another store');
        if (record.generation !== this.generation) {
          throw this.#damaged(
            line,
            `this journal is of generation ${record.generation}, its name of another`,
          );
        }
        this.#expect(line, record.afterBatch, lastBatch);
        return;
      case 'batch':
        this.#expect(line, record.batch, lastBatch + 1);
        this.#state = { store, lastBatch: record.batch, map: applyOperations(map, record.operations) };
        return;
      case 'continued':
        this.#expect(line, record.afterBatch, lastBatch);
        if (record.generation <= this.generation) throw this.#damaged(line, 'the journal leads back');
        this.#continuedIn = record.generation;
    }
  }

  #expect(line: StoredLine, found: number, expected: number): void {
    if (found !== expected) throw this.#damaged(line, `batch ${found} where ${expected} was expected`);
  }

  #end(): void {
    if (this.#bad === undefined) return;
    if (this.#last === undefined || !isTorn(this.#bad)) {
      throw this.#damaged(this.#bad, 'the checksum of this line differs from its content');
    }
  }

  #damaged({ line, start }: StoredLine, what: string): LevelError {
    return corrupt(`${this.name}, line ${line} (byte ${start})`, what);
  }
}

/**
 * A write that a crash cut off leaves a line without its end, or, when the machine lost power, with whole
 * sectors of zeros, which are never written as such. Anything else was complete once.
 */
function isTorn(line: StoredLine): boolean {
  if (!line.complete) return parseRecord(line.bytes.subarray(0, -1)) === undefined;
  const firstZero = line.bytes.indexOf(0);
  let end = firstZero;
  while (line.bytes[end] === 0) end += 1;
  const isEdge = (position: number): boolean => (line.start + position) % SECTOR_BYTES === 0;
  return firstZero !== -1 && (firstZero === 0 || isEdge(firstZero)) && isEdge(end);
}

function corrupt(where: string, what: string): LevelError {
  return new LevelError(LEVEL_ERRORS.corrupt, `${where}: ${what}`);
}
