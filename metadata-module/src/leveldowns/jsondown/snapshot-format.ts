/**
 * The snapshot: one JSON file with one entry a line, each led by the checksum of what stands behind it in
 * its brackets, and a digest of the whole at the end:
 *
 *     {
 *       "format": "jsondown 1",
 *       "store": "<id>",
 *       "generation": 3,
 *       "lastBatch": 56,
 *       "entries": [
 *         ["4f2a90c1","key","value"],
 *         ["90b1d5e2",{"hex":"ff00"},"value"]
 *       ],
 *       "count": 2,
 *       "sha256": "<digest of every byte before this line>"
 *     }
 *
 * What filled storage holds may never become unreadable: a change needs a new format number.
 */
import { createHash } from 'node:crypto';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import { fromJson, toJson } from './bytes.js';
import { checksum } from './journal-format.js';
import { SortedMap, type MapEntry } from './sorted-map.js';
import type { StoredLine, StoredText } from './storage.js';

const FORMAT = 'jsondown 1';
const ENTRY_LEAD = '    ["';
/** Enough for few writes, little enough for other work to come in between. */
const CHUNK_CHARACTERS = 65_536;

export interface SnapshotHeader {
  readonly store: string;
  readonly generation: number;
  /** The number of the last batch that the entries hold. */
  readonly lastBatch: number;
}

export interface Snapshot extends SnapshotHeader {
  readonly map: SortedMap;
  readonly bytes: number;
}

/** The snapshot's text, some lines at a time. */
export async function* formatSnapshot(header: SnapshotHeader, map: SortedMap): AsyncGenerator<string> {
  const hash = createHash('sha256');
  const hashed = (text: string): string => {
    hash.update(text);
    return text;
  };
  yield hashed(`{\n  "format": ${JSON.stringify(FORMAT)},\n${fields(header)}  "entries": [\n`);
  const cursor = map.cursor();
  let pending = '';
  for (let entry = cursor.next(), left = map.size; entry !== undefined; entry = cursor.next()) {
    left -= 1;
    pending += formatEntry(entry, left === 0);
    if (pending.length < CHUNK_CHARACTERS) continue;
    yield hashed(pending);
    pending = '';
    await new Promise(setImmediate);
  }
  yield hashed(`${pending}  ],\n  "count": ${map.size},\n`);
  yield `  "sha256": "${hash.digest('hex')}"\n}\n`;
}

/**
 * Reads a snapshot and checks every byte of it.
 * @throws LevelError `corrupt` naming the file, line and byte, and what is wrong there.
 */
export async function parseSnapshot(text: StoredText): Promise<Snapshot> {
  const parser = new SnapshotParser(text.name);
  for await (const lines of text.lines()) {
    for (const line of lines) parser.push(line);
  }
  return parser.end();
}

function fields(values: object): string {
  return Object.entries(values)
    .map(([name, value]) => `  "${name}": ${JSON.stringify(value)},\n`)
    .join('');
}

function formatEntry({ key, value }: MapEntry, last: boolean): string {
  const rest = JSON.stringify([toJson(key), toJson(value)]).slice(1, -1);
  return `${ENTRY_LEAD}${checksum(rest)}",${rest}]${last ? '' : ','}\n`;
}

type State = 'head' | 'entries' | 'count' | 'sha256' | 'brace' | 'end';

class SnapshotParser {
  readonly #name: string;
  readonly #hash = createHash('sha256');
  readonly #head = new Map<string, unknown>();
  readonly #entries: MapEntry[] = [];
  #state: State = 'head';
  /** The last entry had a comma, so that another one must follow. */
  #comma = false;
  #bytes = 0;

  constructor(name: string) {
    this.#name = name;
  }

  push(line: StoredLine): void {
    if (!line.complete) throw this.#damaged(line, 'the file ends within this line');
    this.#bytes = line.end;
    const before = this.#state;
    this.#state = this.#accept(line);
    if (before !== 'sha256' && before !== 'brace') this.#hash.update(line.bytes).update('\n');
  }

  end(): Snapshot {
    if (this.#state !== 'end') {
      throw new LevelError(
        LEVEL_ERRORS.corrupt,
        `${this.#name} ends too early, at byte ${this.#bytes}: it was cut off`,
      );
    }
    const [store, generation, lastBatch] = ['store', 'generation', 'lastBatch'].map(name =>
      this.#head.get(name),
    );
    return {
      store: store as string,
      generation: generation as number,
      lastBatch: lastBatch as number,
      map: SortedMap.fromAscending(this.#entries),
      bytes: this.#bytes,
    };
  }

  #accept(line: StoredLine): State {
    switch (this.#state) {
      case 'head':
        return this.#acceptHead(line);
      case 'entries':
        return this.#acceptEntry(line);
      case 'count':
        if (line.bytes.toString('latin1') !== `  "count": ${this.#entries.length},`) {
          throw this.#damaged(line, `expected the count of the ${this.#entries.length} entries above`);
        }
        return 'sha256';
      case 'sha256':
        if (line.bytes.toString('latin1') !== `  "sha256": "${this.#hash.digest('hex')}"`) {
          throw this.#damaged(line, 'the digest differs from that of the lines above');
        }
        return 'brace';
      case 'brace':
        if (line.bytes.toString('latin1') !== '}') throw this.#damaged(line, 'expected "}"');
        return 'end';
      case 'end':
        throw this.#damaged(line, 'the file goes on after its end');
    }
  }

  #acceptHead(line: StoredLine): State {
    const text = line.bytes.toString('latin1');
    const names = ['{', 'format', 'store', 'generation', 'lastBatch', 'entries'];
    const expected = names[line.line - 1];
    if (expected === '{' && text === '{') return 'head';
    if (expected === 'entries' && text === '  "entries": [') return 'entries';
    const match = /^ {2}"(format|store|generation|lastBatch)": ("[\w -]+"|\d{1,15}),$/.exec(text);
    if (match?.[1] === undefined || match[1] !== expected) {
      throw this.#damaged(line, `expected ${expected === '{' ? '"{"' : `"${expected ?? ''}"`}`);
    }
    const value: unknown = JSON.parse(match[2] ?? '');
    const isText = expected === 'format' || expected === 'store';
    if (typeof value !== (isText ? 'string' : 'number'))
      throw this.#damaged(line, `"${expected}" is not valid`);
    if (expected === 'format' && value !== FORMAT) {
      throw this.#damaged(line, `the format is not "${FORMAT}", the one that this version reads`);
    }
    this.#head.set(expected, value);
    return 'head';
  }

  #acceptEntry(line: StoredLine): State {
    const { bytes } = line;
    const comma = bytes.at(-1) === 0x2c;
    if (bytes.toString('latin1') === '  ],') {
      if (this.#comma) throw this.#damaged(line, 'an entry is missing above this line');
      return 'count';
    }
    if (this.#entries.length > 0 && !this.#comma)
      throw this.#damaged(line, 'expected "]" after the last entry');
    const tail = bytes.length - (comma ? 2 : 1);
    const lead = bytes.toString('latin1', 0, ENTRY_LEAD.length + 10);
    const rest = bytes.subarray(ENTRY_LEAD.length + 10, tail);
    if (lead !== `${ENTRY_LEAD}${checksum(rest)}",` || bytes[tail] !== 0x5d) {
      throw this.#damaged(line, 'the checksum of this entry differs from its content');
    }
    const [key, value] = (JSON.parse(`[${rest.toString('utf8')}]`) as unknown[]).map(fromJson);
    if (key === undefined || value === undefined) throw this.#damaged(line, 'this is no entry');
    const previous = this.#entries.at(-1);
    if (previous !== undefined && previous.key >= key) {
      throw this.#damaged(line, 'this entry is out of order: lines were moved or repeated');
    }
    this.#entries.push({ key, value });
    this.#comma = comma;
    return 'entries';
  }

  #damaged({ line, start }: StoredLine, what: string): LevelError {
    return new LevelError(LEVEL_ERRORS.corrupt, `${this.#name}, line ${line} (byte ${start}): ${what}`);
  }
}
