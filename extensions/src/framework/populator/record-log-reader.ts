/**
 * Reads the record log in batches, over RPC. Each read begins with the last record that was read before:
 * if that one is not there, or is another, the log was pruned too far or replaced.
 */
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import { type RpcClient, RpcStream } from '@zenko-modules/rpc/client';
import { z } from 'zod';
import { type Cursor, LOG_START } from './cursor.js';
import { fingerprint, type LogItem, parseItem, sizeOf } from './record-log-item.js';

export const LOG_NAME = 's3-recordlog';
/** A batch ends early when its records have grown to this size, so that memory is bounded. */
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
/** How long the metadata module is asked to wait for a record, in one call. */
const WAIT_MS = 5000;

const readAnswer = z.object({
  info: z.object({ start: z.number().nullable(), end: z.number().nullable() }),
  log: z.instanceof(RpcStream),
});
const waitAnswer = z.object({ last: z.number() });
const manifestAnswer = z.object({ api: z.array(z.object({ name: z.string() })) });

export interface Batch {
  /** `undefined` stands for a record that cannot be read. */
  readonly items: readonly (LogItem | undefined)[];
  /** Sequence number of the first item. */
  readonly start: number;
  readonly next: Cursor;
  /** True when the log had nothing more at that moment. */
  readonly atEnd: boolean;
  /**
   * `missing`: the numbers between the cursor and `start` are not in the log. `pruned`: they were, and are lost to us.
   * `other`: the log is not the one that the cursor belongs to, and this batch starts at its beginning.
   */
  readonly gap?: 'missing' | 'pruned' | 'other';
}

interface RawRead {
  readonly start: number | null;
  readonly items: readonly (LogItem | undefined)[];
  readonly atEnd: boolean;
}

export interface RecordLogReaderOptions {
  readonly client: RpcClient;
  /** Our name at the metadata module, which keeps the records that its named readers have not done with. */
  readonly name: string;
  readonly batchRecords: number;
  /** Pause before the log is asked again, where the metadata module does not offer to wait. */
  readonly pollMs: number;
}

export class RecordLogReader {
  readonly #options: RecordLogReaderOptions;
  #canWait: boolean | undefined;

  constructor(options: RecordLogReaderOptions) {
    this.#options = options;
  }

  /** The records from `cursor` on. @throws CatalogueError when the metadata module cannot be asked. */
  async read(cursor: Cursor): Promise<Batch> {
    const { nextSeq, lastRecord } = cursor;
    const { batchRecords } = this.#options;
    if (lastRecord === undefined) return this.#readFrom(cursor);
    const { start, items, atEnd } = await this.#read(nextSeq - 1, batchRecords + 1);
    if (start !== null && start >= nextSeq) return toBatch(start, items, atEnd, cursor, 'pruned');
    const [last] = items;
    // A record that has become unreadable since is no sign of another log.
    const isSame = start === nextSeq - 1 && (last === undefined || fingerprint(last) === lastRecord);
    if (!isSame) return { ...(await this.#readFrom(LOG_START)), gap: 'other' };
    // Nothing follows it, but there is more: the number after it is missing.
    if (items.length === 1 && !atEnd) return this.#readFrom(cursor);
    return toBatch(nextSeq, items.slice(1), atEnd, cursor);
  }

  /** Says that everything before `cursor` need not be kept for us; the record right before it is, for the next start. */
  async note({ nextSeq, lastRecord }: Cursor): Promise<void> {
    const startSeq = lastRecord === undefined ? nextSeq : nextSeq - 1;
    await this.#read(startSeq, 0, this.#options.name);
  }

  /** Resolves when the log may have `seq`, with `true` when it is known to; soon after `signal` is aborted. */
  async grown(seq: number, signal: AbortSignal): Promise<boolean> {
    const { client, pollMs } = this.#options;
    this.#canWait ??= await this.#offersToWait();
    if (!this.#canWait) {
      await sleep(pollMs, signal);
      return false;
    }
    try {
      const args = { rpcArgs: [{ startSeq: seq, timeoutMs: WAIT_MS }], subLevel: [], logName: LOG_NAME };
      const { last } = parseAnswer(waitAnswer, 'awaitRecords', await client.call('awaitRecords', args));
      return last >= seq;
    } catch (err) {
      // Another module may answer next time.
      this.#canWait = undefined;
      if (!isErrorType(err, 'SlowDown')) throw err;
      await sleep(pollMs, signal);
      return false;
    }
  }

  async #offersToWait(): Promise<boolean> {
    const answer = await this.#options.client.call('getManifest', { rpcArgs: [] });
    return parseAnswer(manifestAnswer, 'getManifest', answer).api.some(({ name }) => name === 'awaitRecords');
  }

  async #readFrom(cursor: Cursor): Promise<Batch> {
    const { start, items, atEnd } = await this.#read(cursor.nextSeq, this.#options.batchRecords);
    // A log that begins later than 1 was pruned before anybody read it: nothing is missed.
    const gap = cursor.nextSeq === LOG_START.nextSeq ? undefined : 'missing';
    return toBatch(start ?? cursor.nextSeq, items, atEnd, cursor, gap);
  }

  async #read(startSeq: number, limit: number, reader?: string): Promise<RawRead> {
    const answer = await this.#options.client.call('readRecords', {
      rpcArgs: [{ startSeq, limit, ...(reader !== undefined && { reader }) }],
      subLevel: [],
      logName: LOG_NAME,
    });
    const { info, log } = parseAnswer(readAnswer, 'readRecords', answer);
    const items: (LogItem | undefined)[] = [];
    let bytes = 0;
    // Taken to memory at once: a stream whose items are not taken for some seconds is cut off.
    for await (const some of log.messages()) {
      for (const item of some.map(parseItem)) {
        items.push(item);
        bytes += sizeOf(item);
      }
      if (bytes > MAX_BATCH_BYTES) break;
    }
    const { start, end } = info;
    // The log had no more when the read covers less than was asked for, and all that it covers has come.
    const atEnd = items.length < limit && (start === null || end === null || start + items.length > end);
    return { start, items, atEnd };
  }
}

function parseAnswer<T>(schema: z.ZodType<T>, call: string, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const text = `the metadata module answered ${call} with something else`;
  throw new CatalogueError('ServiceUnavailable', text, { cause: parsed.error });
}

function toBatch(
  start: number,
  items: RawRead['items'],
  atEnd: boolean,
  before: Cursor,
  gap?: Batch['gap'],
): Batch {
  const last = items.at(-1);
  const next =
    items.length === 0
      ? before
      : { nextSeq: start + items.length, ...(last && { lastRecord: fingerprint(last) }) };
  return { items, start, next, atEnd, ...(start > before.nextSeq && gap && { gap }) };
}
