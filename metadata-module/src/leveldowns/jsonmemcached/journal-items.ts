/**
 * The items of one journal: `<prefix>:1`, `<prefix>:2`, ... hold a line each, the head `<prefix>` says how many
 * there are. A line that is too long for an item lies in parts, `<prefix>:7.1`, `<prefix>:7.2`, ..., which are
 * written before it.
 */
import { z } from 'zod';
import type { StoredLine } from '../jsondown/storage.js';
import { LEVEL_ERRORS, LevelError } from '../plugin.js';
import { forAll, ITEM_BYTES, windowed, type Items } from './items.js';

const HEAD = z.object({ lines: z.number().int().min(1), writer: z.string() });
/** How many lines there are, and which process wrote the last one. */
export type Head = z.infer<typeof HEAD>;

/** The first byte of a line's item: the line follows, or the number of its parts. */
const WHOLE = 'L';
const PARTS = 'P';

export class JournalItems {
  readonly key: string;
  readonly #items: Items;
  /** Lines that are known to be there, and the number of parts of long ones. */
  #lines = 0;
  readonly #parts = new Map<number, number>();

  constructor(items: Items, prefix: string) {
    this.#items = items;
    this.key = prefix;
  }

  get lines(): number {
    return this.#lines;
  }

  async head(): Promise<Head | undefined> {
    const value = await this.#items.find(this.key);
    return value === undefined ? undefined : HEAD.parse(JSON.parse(value.toString()));
  }

  /** Makes a journal of one line, in place of an unused one. False when there is one in use. */
  async create(firstLine: string, writer: string): Promise<boolean> {
    const [line, head] = [Buffer.from(WHOLE + firstLine), headValue({ lines: 1, writer })];
    if (!(await this.#items.add(this.#line(1), line))) {
      if (((await this.head())?.lines ?? 0) > 1) return false;
      await this.#items.set(this.#line(1), line);
    }
    if (!(await this.#items.add(this.key, head))) await this.#items.set(this.key, head);
    this.#lines = 1;
    return true;
  }

  /** Stores a line as the next one. False when there is a next one already, by another process. */
  async append(line: Buffer): Promise<boolean> {
    const number = this.#lines + 1;
    const parts = partsOf(line.length);
    const slices = Array.from({ length: parts }, (_, index) => index + 1);
    const store = (part: number): Promise<void> =>
      this.#items.set(this.#part(number, part), line.subarray((part - 1) * ITEM_BYTES, part * ITEM_BYTES));
    const value =
      parts === 0 ? Buffer.concat([Buffer.from(WHOLE), line]) : Buffer.from(PARTS + String(parts));
    try {
      await forAll(slices, store);
      if (!(await this.#items.add(this.#line(number), value))) return false;
    } catch (err) {
      await this.#discard(slices.map(part => this.#part(number, part)));
      throw err;
    }
    this.#lines = number;
    if (parts > 0) this.#parts.set(number, parts);
    return true;
  }

  /** Rejects while there is no room for another line of so many bytes, and for the head that counts it. */
  async tryRoom(bytes: number, writer: string): Promise<void> {
    const number = this.#lines + 1;
    const sizes = new Map([[this.key, headValue({ lines: number, writer }).length]]);
    const parts = partsOf(bytes);
    for (let part = 1; part <= parts; part += 1)
      sizes.set(this.#part(number, part), Math.min(ITEM_BYTES, bytes - (part - 1) * ITEM_BYTES));
    sizes.set(this.#line(number), WHOLE.length + (parts === 0 ? bytes : String(parts).length));
    await this.#items.tryRoom(sizes);
  }

  /** Deletes the last line, which the head does not count. */
  async removeLast(): Promise<void> {
    const parts = this.#parts.get(this.#lines) ?? 0;
    const keys = Array.from({ length: parts }, (_, index) => this.#part(this.#lines, index + 1));
    await this.#items.delete([this.#line(this.#lines), ...keys]);
    this.#parts.delete(this.#lines);
    this.#lines -= 1;
  }

  /** Brings the head up to the lines. False when it is not there any more. */
  writeHead(writer: string): Promise<boolean> {
    return this.#items.replace(this.key, headValue({ lines: this.#lines, writer }));
  }

  /** All lines, also those that the head does not count, because its writer was stopped, or a late answer set it back. */
  async *read(): AsyncGenerator<readonly StoredLine[]> {
    const head = await this.head();
    if (head === undefined) throw new LevelError(LEVEL_ERRORS.corrupt, this.#items.missing(this.key));
    let start = 0;
    const toLine = (bytes: Buffer, line: number): StoredLine => {
      const end = start + bytes.length + 1;
      const stored = { bytes, line, start, end, complete: true };
      start = end;
      return stored;
    };
    let line = 0;
    const numbers = Array.from({ length: head.lines }, (_, index) => index + 1);
    for await (const bytes of windowed(numbers, number => this.#read(number))) {
      line += 1;
      if (bytes === undefined)
        throw new LevelError(LEVEL_ERRORS.corrupt, this.#items.missing(this.#line(line)));
      this.#lines = line;
      yield [toLine(bytes, line)];
    }
    for (let next = await this.#read(line + 1); next !== undefined; next = await this.#read(line + 1)) {
      line += 1;
      this.#lines = line;
      yield [toLine(next, line)];
    }
  }

  /** Deletes all of it, the head last, so that an interrupted removal can be found and completed. */
  async remove(): Promise<void> {
    const counted = (await this.head())?.lines ?? 0;
    while (this.#lines <= counted) {
      this.#lines += 1;
      await this.#find(this.#lines);
    }
    await this.#items.delete(this.keys());
    await this.#items.delete([this.key]);
  }

  /** The keys of all lines and parts, as far as they are known. */
  *keys(): Generator<string> {
    for (let line = 1; line <= this.#lines; line += 1) {
      for (let part = 1; part <= (this.#parts.get(line) ?? 0); part += 1) yield this.#part(line, part);
      yield this.#line(line);
    }
  }

  /** One line; `undefined` when it is not there. @throws LevelError `corrupt` when a part of it is missing. */
  async #read(line: number): Promise<Buffer | undefined> {
    const value = await this.#find(line);
    const parts = this.#parts.get(line);
    if (value === undefined || parts === undefined) return value?.subarray(WHOLE.length);
    const slices: Buffer[] = [];
    const keys = Array.from({ length: parts }, (_, index) => this.#part(line, index + 1));
    for await (const slice of this.#items.read(keys)) slices.push(slice);
    return Buffer.concat(slices);
  }

  /** The item of a line, the number of its parts taken down. */
  async #find(line: number): Promise<Buffer | undefined> {
    const value = await this.#items.find(this.#line(line));
    if (value?.toString('latin1', 0, 1) === PARTS) this.#parts.set(line, Number(value.toString('latin1', 1)));
    return value;
  }

  /** Parts of a line that was not written only take room: the error that is reported is another. */
  async #discard(keys: readonly string[]): Promise<void> {
    await this.#items.delete(keys).catch(() => undefined);
  }

  #line(line: number): string {
    return `${this.key}:${line}`;
  }

  #part(line: number, part: number): string {
    return `${this.key}:${line}.${part}`;
  }
}

/** Into how many a line is cut; 0: it is not. */
function partsOf(bytes: number): number {
  return bytes < ITEM_BYTES ? 0 : Math.ceil(bytes / ITEM_BYTES);
}

function headValue(head: Head): Buffer {
  return Buffer.from(JSON.stringify(head));
}
