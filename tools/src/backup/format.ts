/**
 * A backup of metadata: a text file, one JSON array a line.
 *
 *     ["zenko metadata backup", 1, {"uuid": ..., "created": ..., "from": <record>}]
 *     ["entry", <database>, <key>, <value>]                                 any number
 *     ["record", <number>, <put|del>, <database>, <key>, <value>, <timestamp>]  any number, in their order
 *     ["end", {"entries": ..., "records": ..., "last": <record>, "sha256": <of all bytes before this line>}]
 *
 * The state that it holds is that after record `last`: the entries, changed by the records after `from`, in their order.
 * Entries were read while others wrote, so each shows some moment between the two. Older records are there for readers of
 * the log. Never change a version; another form gets another number.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { ToolError } from '../command/exit-code.js';
import { splitLines } from '../split-lines.js';

export const FORMAT = 'zenko metadata backup';
export const VERSION = 1;

const header = z.tuple([
  z.literal(FORMAT),
  z.literal(VERSION),
  z.object({ uuid: z.string(), created: z.string(), from: z.number().int() }),
]);
const entry = z.tuple([z.literal('entry'), z.string(), z.string(), z.string()]);
const record = z.tuple([
  z.literal('record'),
  z.number().int(),
  z.enum(['put', 'del']),
  z.string(),
  z.string(),
  z.string().nullable(),
  z.string(),
]);
const end = z.tuple([
  z.literal('end'),
  z.object({
    entries: z.number().int(),
    records: z.number().int(),
    last: z.number().int(),
    sha256: z.string(),
  }),
]);

export type Header = z.infer<typeof header>[2];
export type Totals = z.infer<typeof end>[1];
export type EntryLine = z.infer<typeof entry>;
export type RecordLine = z.infer<typeof record>;

/** The lines of a backup between its first and its last. @throws ToolError when one is damaged, or the end is missing. */
export class BackupReader {
  readonly #file: string;
  header: Header | undefined;
  /** Known when all lines have been read. */
  totals: Totals | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /** Reads it to its end. */
  async check(signal: AbortSignal): Promise<void> {
    const lines = this.lines();
    while ((await lines.next()).done !== true) signal.throwIfAborted();
  }

  async *lines(): AsyncGenerator<EntryLine | RecordLine, void, undefined> {
    const hash = createHash('sha256');
    const counts = { entries: 0, records: 0 };
    const input = createReadStream(this.#file);
    let number = 0;
    this.totals = undefined;
    const opened = new Promise<void>((resolve, reject) =>
      input.once('open', () => resolve()).once('error', reject),
    );
    await opened.catch((err: unknown) => {
      throw new ToolError(
        `cannot read ${this.#file} (${(err as NodeJS.ErrnoException).code ?? String(err)})`,
        {
          cause: err,
        },
      );
    });
    try {
      for await (const text of splitLines(input)) {
        number += 1;
        if (this.totals !== undefined) throw this.#damaged(number, 'there is something after its end');
        const line = this.#parse(text, number);
        if (number === 1) {
          this.header = this.#checked(header, line, number)[2];
        } else if (line[0] === 'end') {
          const [, totals] = this.#checked(end, line, number);
          const isWhole = totals.entries === counts.entries && totals.records === counts.records;
          if (!isWhole || totals.sha256 !== hash.digest('hex'))
            throw this.#damaged(number, 'its counts or its checksum are not those of its lines');
          this.totals = totals;
          continue;
        } else if (line[0] === 'entry') {
          yield this.#checked(entry, line, number);
          counts.entries += 1;
        } else {
          yield this.#checked(record, line, number);
          counts.records += 1;
        }
        hash.update(text).update('\n');
      }
    } finally {
      input.destroy();
    }
    if (this.totals === undefined) throw this.#damaged(number, 'its end is missing: it was cut off');
  }

  #parse(text: string, number: number): readonly unknown[] {
    try {
      const line: unknown = JSON.parse(text);
      if (Array.isArray(line)) return line as unknown[];
    } catch (err) {
      throw this.#damaged(number, 'a line is no JSON', err);
    }
    throw this.#damaged(number, 'a line is no array');
  }

  #checked<T>(schema: z.ZodType<T>, line: readonly unknown[], number: number): T {
    const parsed = schema.safeParse(line);
    if (parsed.success) return parsed.data;
    throw this.#damaged(number, 'a line is not one of a backup of this version', parsed.error);
  }

  #damaged(number: number, reason: string, cause?: unknown): ToolError {
    return new ToolError(`${this.#file}, line ${number}: ${reason}`, { cause });
  }
}
