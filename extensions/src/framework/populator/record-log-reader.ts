/**
 * Reads the record log in batches, over RPC. Each read begins with the last record that was read before:
 * if that one is not there, or is another, the log was pruned too far or replaced.
 */
import { createHash } from 'node:crypto';
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import { type RpcClient, RpcStream } from '@zenko-modules/common/rpc/client';
import { z } from 'zod';
import { type Cursor, LOG_START } from './cursor.js';

export const LOG_NAME = 's3-recordlog';
/** A batch ends early when its records have grown to this size, so that memory is bounded. */
const MAX_BATCH_BYTES = 16 * 1024 * 1024;

const itemSchema = z.object({
  timestamp: z.string(),
  db: z.string(),
  entries: z.array(z.object({ type: z.enum(['put', 'del']), key: z.string(), value: z.string().optional() })),
});
const answerSchema = z.object({
  info: z.object({ start: z.number().nullable(), end: z.number().nullable() }),
  log: z.instanceof(RpcStream),
});

export type LogItem = z.infer<typeof itemSchema>;

export interface Batch {
  /** `undefined` stands for a record that cannot be read. */
  readonly items: readonly (LogItem | undefined)[];
  /** Sequence number of the first item. */
  readonly start: number;
  readonly next: Cursor;
  /** True when the log had nothing more at that moment. */
  readonly atEnd: boolean;
  /**
   * `pruned`: records between the cursor and `start` are lost to us. `other`: the log is not the one that
   * the cursor belongs to, and this batch starts at its beginning.
   */
  readonly reset?: 'pruned' | 'other';
}

interface RawRead {
  readonly start: number | null;
  readonly items: readonly unknown[];
  readonly atEnd: boolean;
}

export class RecordLogReader {
  readonly #client: RpcClient;
  readonly #name: string;
  readonly #batchRecords: number;

  /** @param name our name at the metadata module, which keeps the records that its named readers have not read. */
  constructor(client: RpcClient, name: string, batchRecords: number) {
    this.#client = client;
    this.#name = name;
    this.#batchRecords = batchRecords;
  }

  /** The records from `cursor` on. @throws CatalogueError when the metadata module cannot be asked. */
  async read(cursor: Cursor): Promise<Batch> {
    const { nextSeq, lastRecord } = cursor;
    if (lastRecord === undefined) return this.#readFrom(nextSeq);
    const overlap = await this.#read(nextSeq - 1, this.#batchRecords + 1).catch((err: unknown) => {
      // One of the records is damaged: come nearer without the overlap.
      if (isErrorType(err, 'InternalError')) return undefined;
      throw err;
    });
    if (!overlap) return this.#readFrom(nextSeq);
    const { start, items, atEnd } = overlap;
    if (start !== null && start >= nextSeq) {
      const batch = toBatch(start, items, atEnd, cursor);
      return start > nextSeq ? { ...batch, reset: 'pruned' } : batch;
    }
    if (start === nextSeq - 1 && fingerprint(parseItem(items[0])) === lastRecord) {
      return toBatch(nextSeq, items.slice(1), atEnd, cursor);
    }
    return { ...(await this.#readFrom(LOG_START.nextSeq)), reset: 'other' };
  }

  async #readFrom(seq: number): Promise<Batch> {
    try {
      const { start, items, atEnd } = await this.#read(seq, this.#batchRecords);
      return toBatch(start ?? seq, items, atEnd, { nextSeq: seq });
    } catch (err) {
      if (!isErrorType(err, 'InternalError')) throw err;
      return this.#readOne(seq, err);
    }
  }

  /** One record of a stretch that holds a damaged one, which may be this one: then the next one can be read. */
  async #readOne(seq: number, cause: CatalogueError): Promise<Batch> {
    try {
      const { start, items } = await this.#read(seq, 1);
      return toBatch(start ?? seq, items, false, { nextSeq: seq });
    } catch (err) {
      if (!isErrorType(err, 'InternalError')) throw err;
    }
    const { start } = await this.#read(seq + 1, 1, null).catch(() => {
      throw cause;
    });
    if (start !== seq + 1) throw cause;
    return { items: [undefined], start: seq, next: { nextSeq: seq + 1 }, atEnd: false };
  }

  /** With a name, it says that everything before `startSeq` need not be kept for us. */
  async #read(startSeq: number, limit: number, reader: string | null = this.#name): Promise<RawRead> {
    const answer = await this.#client.call('readRecords', {
      rpcArgs: [{ startSeq, limit, ...(reader !== null && { reader }) }],
      subLevel: [],
      logName: LOG_NAME,
    });
    const parsed = answerSchema.safeParse(answer);
    if (!parsed.success) {
      throw new CatalogueError(
        'ServiceUnavailable',
        'the metadata module answered readRecords with something else',
        {
          cause: parsed.error,
        },
      );
    }
    const { info, log } = parsed.data;
    const items: unknown[] = [];
    let bytes = 0;
    let cut = false;
    // Taken to memory at once: a stream whose items are not taken for some seconds is cut off.
    for await (const item of log) {
      items.push(item);
      bytes += JSON.stringify(item).length;
      cut = bytes > MAX_BATCH_BYTES;
      if (cut) break;
    }
    return { start: info.start, items, atEnd: !cut && items.length < limit };
  }
}

function toBatch(start: number, rawItems: readonly unknown[], atEnd: boolean, before: Cursor): Batch {
  const items = rawItems.map(parseItem);
  const last = items.at(-1);
  const next =
    items.length === 0
      ? before
      : { nextSeq: start + items.length, ...(last && { lastRecord: fingerprint(last) }) };
  return { items, start, next, atEnd };
}

function parseItem(item: unknown): LogItem | undefined {
  return itemSchema.safeParse(item).data;
}

function fingerprint(item: LogItem | undefined): string | undefined {
  if (!item) return undefined;
  const entries = item.entries.map(({ type, key }) => [type, key]);
  const text = JSON.stringify([item.timestamp, item.db, entries]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
