/**
 * Reads the record log in batches, over RPC. Each call begins with the last record that was read before:
 * if that one is not there, or is another, the log was pruned too far or replaced. One call serves many batches,
 * each of what has come by then: so records are handed on while they are young, and few calls are made.
 */
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import { type RpcClient, RpcStream } from '@zenko-modules/rpc/client';
import { z } from 'zod';
import { type Cursor, LOG_START } from './cursor.js';
import { type Items, OpenRead } from './open-read.js';
import { fingerprint } from './record-log-item.js';

export const LOG_NAME = 's3-recordlog';
/** Records of one call, in batches of the largest size. */
const BATCHES_PER_CALL = 16;
/** A call from which nothing is taken for so long is ended: the metadata module would cut it off soon after. */
const LEAVE_AFTER_MS = 1000;
/** How long the metadata module is asked to wait for a record, in one call. */
const WAIT_MS = 5000;

const readAnswer = z.object({
  info: z.object({ start: z.number().nullable(), end: z.number().nullable() }),
  log: z.instanceof(RpcStream),
});
const waitAnswer = z.object({ last: z.number() });

export interface Batch {
  /** `undefined` stands for a record that cannot be read. */
  readonly items: Items;
  /** Sequence number of the first item. */
  readonly start: number;
  readonly next: Cursor;
  /** True when the log had nothing more at that moment; otherwise it may have more. */
  readonly atEnd: boolean;
  /**
   * `missing`: the numbers between the cursor and `start` are not in the log. `pruned`: they were, and are lost to us.
   * `other`: the log is not the one that the cursor belongs to, and this batch starts at its beginning.
   */
  readonly gap?: 'missing' | 'pruned' | 'other';
}

interface RawRead {
  readonly start: number | null;
  readonly items: Items;
  readonly atEnd: boolean;
  /** Where more may come from. */
  readonly open: OpenRead;
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
  /** Calls that have more, by the cursor that their next batch follows. */
  readonly #open = new Map<string, OpenRead>();

  constructor(options: RecordLogReaderOptions) {
    this.#options = options;
  }

  /** Some records from `cursor` on. @throws CatalogueError when the metadata module cannot be asked. */
  async read(cursor: Cursor): Promise<Batch> {
    const known = await this.#goOn(cursor);
    if (known) return known;
    const { nextSeq, lastRecord } = cursor;
    if (lastRecord === undefined) return this.#readFrom(cursor);
    const { start, items, atEnd, open } = await this.#begin(nextSeq - 1, 2);
    if (start !== null && start >= nextSeq)
      return this.#keep(open, toBatch(start, items, atEnd, cursor, 'pruned'));
    const [last] = items;
    // A record that has become unreadable since is no sign of another log.
    const isSame = start === nextSeq - 1 && (last === undefined || fingerprint(last) === lastRecord);
    if (!isSame) {
      open.leave();
      return { ...(await this.#readFrom(LOG_START)), gap: 'other' };
    }
    // Nothing follows it, but there is more: the number after it is missing.
    if (items.length === 1 && !atEnd) return this.#readFrom(cursor);
    return this.#keep(open, toBatch(nextSeq, items.slice(1), atEnd, cursor));
  }

  /** Says that everything before `cursor` need not be kept for us; the record right before it is, for the next start. */
  async note({ nextSeq, lastRecord }: Cursor): Promise<void> {
    const startSeq = lastRecord === undefined ? nextSeq : nextSeq - 1;
    const { log } = await this.#call(startSeq, 0, this.#options.name);
    log.hangUp();
  }

  /** Resolves when the log may have `seq`, with `true` when it is known to; soon after `signal` is aborted. */
  async grown(seq: number, signal: AbortSignal): Promise<boolean> {
    const { client, pollMs } = this.#options;
    if (!(await client.offers('awaitRecords'))) {
      await sleep(pollMs, signal);
      return false;
    }
    try {
      const args = { rpcArgs: [{ startSeq: seq, timeoutMs: WAIT_MS }], subLevel: [], logName: LOG_NAME };
      const { last } = parseAnswer(waitAnswer, 'awaitRecords', await client.call('awaitRecords', args));
      return last >= seq;
    } catch (err) {
      if (!isErrorType(err, 'SlowDown')) throw err;
      await sleep(pollMs, signal);
      return false;
    }
  }

  async #readFrom(cursor: Cursor): Promise<Batch> {
    const { start, items, atEnd, open } = await this.#begin(cursor.nextSeq, 1);
    // A log that begins later than 1 was pruned before anybody read it: nothing is missed.
    const gap = cursor.nextSeq === LOG_START.nextSeq ? undefined : 'missing';
    return this.#keep(open, toBatch(start ?? cursor.nextSeq, items, atEnd, cursor, gap));
  }

  /** The next batch of a call that has more; `undefined` when there is none, or it broke off. */
  async #goOn(cursor: Cursor): Promise<Batch | undefined> {
    const key = keyOf(cursor);
    const open = this.#open.get(key);
    if (!open) return undefined;
    this.#open.delete(key);
    // What broke it off is found by the call that is made in its place.
    const items = await open.take(this.#options.batchRecords).catch(() => []);
    if (items.length === 0) {
      open.leave();
      return undefined;
    }
    // The log may have grown since the call was made.
    return this.#keep(open, toBatch(cursor.nextSeq, items, false, cursor));
  }

  #keep(open: OpenRead, batch: Batch): Batch {
    if (open.isOver || batch.items.length === 0) {
      open.leave();
      return batch;
    }
    const key = keyOf(batch.next);
    this.#open.get(key)?.leave();
    this.#open.set(key, open);
    open.leaveAfter(LEAVE_AFTER_MS, () => this.#open.delete(key));
    return batch;
  }

  /** Makes a call and takes what comes first: `wanted` records at least, when there are so many. */
  async #begin(startSeq: number, wanted: number): Promise<RawRead> {
    const { batchRecords } = this.#options;
    const limit = batchRecords * BATCHES_PER_CALL;
    const { info, log } = await this.#call(startSeq, limit);
    const { start, end } = info;
    const open = new OpenRead({ start, end, stream: log });
    const items = [...(await open.take(batchRecords))];
    while (items.length > 0 && items.length < wanted) {
      const more = await open.take(batchRecords);
      if (more.length === 0) break;
      items.push(...more);
    }
    const isLimited = start !== null && end !== null && end - start + 1 >= limit;
    return { start, items, atEnd: open.isOver && !isLimited, open };
  }

  async #call(startSeq: number, limit: number, reader?: string): Promise<z.infer<typeof readAnswer>> {
    const answer = await this.#options.client.call('readRecords', {
      rpcArgs: [{ startSeq, limit, ...(reader !== undefined && { reader }) }],
      subLevel: [],
      logName: LOG_NAME,
    });
    return parseAnswer(readAnswer, 'readRecords', answer);
  }
}

function keyOf({ nextSeq, lastRecord = '' }: Cursor): string {
  return `${nextSeq} ${lastRecord}`;
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
