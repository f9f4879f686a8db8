/**
 * The changes from one moment on, out of the record log. The module keeps them until the window is closed, however
 * many there are: the window is a registered reader. Its name is the verb's, so that one that was killed leaves no reader
 * behind for longer than until the verb is run again; a second run at the same time may fail for want of records.
 *
 * A read covers every change that anybody could see before it began: commits are written one after the other, so when
 * the commit of the module's own that `forgetReader` makes is answered, all that were visible before it are counted.
 */
import { withDeadline } from '@zenko-modules/common/deadline';
import { CatalogueError } from '@zenko-modules/common/errors';
import { httpUrl } from '@zenko-modules/common/http-url';
import type { ModuleAddress } from '@zenko-modules/common/network/module-address';
import { RpcClient, RpcStream } from '@zenko-modules/rpc/client';
import { RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { z } from 'zod';
import { ToolError } from '../command/exit-code.js';

const holdAnswer = z.object({ places: z.record(z.string(), z.string()) });
const LOG_NAME = 's3-recordlog';
const BATCH = 1000;
const CLOSE_MS = 3000;

export interface LogRecord {
  readonly seq: number;
  readonly timestamp: string;
  readonly db: string;
  readonly type: 'put' | 'del';
  /** With the version: `<key>\0<versionId>`. */
  readonly key: string;
  readonly value: string | undefined;
}

interface LogItem {
  readonly timestamp: string;
  readonly db: string;
  readonly entries: readonly {
    readonly type: 'put' | 'del';
    readonly key: string;
    readonly value?: string;
  }[];
}

/** A number whose record is missing or cannot be read. */
export interface MissingRecords {
  readonly from: number;
  readonly to: number;
  readonly damaged: boolean;
}

export interface LogWindowOptions extends ModuleAddress {
  /** Whose window it is: the reader's name. */
  readonly verb: string;
  readonly signal: AbortSignal;
  /** Where the window begins: with the oldest record that is kept, or after the newest. */
  readonly from: 'oldest' | 'now';
  /** Told of what is missing between two records that are there. */
  readonly onMissing?: (missing: MissingRecords) => void;
}

export class LogWindow {
  readonly #rpc: RpcClient;
  readonly #options: LogWindowOptions;
  #next = 0;

  private constructor(options: LogWindowOptions) {
    this.#options = options;
    this.#rpc = new RpcClient({
      url: httpUrl(options.host, options.port, options.tls && 'https'),
      tls: options.tls,
      namespace: RECORD_LOG_NAMESPACE,
    });
  }

  /** From the moment in which it resolves no record of the window is pruned. */
  static async open(options: LogWindowOptions): Promise<LogWindow> {
    const window = new LogWindow(options);
    try {
      await window.#begin();
      return window;
    } catch (err) {
      window.#rpc.close();
      throw err;
    }
  }

  /** The first record that has not been read yet. */
  get next(): number {
    return this.#next;
  }

  /** The records that there are by now and have not been read, in their order. */
  async *read(): AsyncGenerator<LogRecord, void, undefined> {
    const last = await this.newest();
    while (this.#next <= last) {
      const { start, items } = await this.#read({ startSeq: this.#next, endSeq: last, limit: BATCH });
      if (start === null) {
        this.#missing(this.#next, last, false);
        this.#next = last + 1;
        return;
      }
      if (start > this.#next) this.#missing(this.#next, start - 1, false);
      for (const [index, item] of items.entries()) {
        this.#options.signal.throwIfAborted();
        const seq = start + index;
        this.#next = seq + 1;
        const [change] = item.entries;
        if (change === undefined) this.#missing(seq, seq, true);
        else yield { seq, timestamp: item.timestamp, db: item.db, ...change, value: change.value };
      }
    }
  }

  /** The number of the newest record, 0 when there is none. */
  async newest(): Promise<number> {
    await this.#call('forgetReader', [`${this.#reader}-barrier`]);
    const answer = await this.#call('awaitRecords', [{ startSeq: 0, timeoutMs: 0 }]);
    const { last } = answer as { last?: unknown };
    if (typeof last !== 'number') throw unexpected('awaitRecords');
    return last;
  }

  /** One record of the window; `undefined` when it is missing or cannot be read. */
  async record(seq: number): Promise<LogRecord | undefined> {
    const { start, items } = await this.#read({ startSeq: seq, endSeq: seq, limit: 1 });
    const [change] = items[0]?.entries ?? [];
    if (start !== seq || items[0] === undefined || change === undefined) return undefined;
    const { timestamp, db } = items[0];
    return { seq, timestamp, db, ...change, value: change.value };
  }

  /** What has been saved for a reader of the log, by name. */
  async placesOf(reader: string): Promise<Readonly<Record<string, string>>> {
    // One that does not hold it, and gives it up, changes nothing.
    const answer = await this.#call('holdReader', [{ reader, holder: this.#reader, leaseMs: 0 }]);
    const parsed = holdAnswer.safeParse(answer);
    if (!parsed.success) throw unexpected('holdReader');
    return parsed.data.places;
  }

  /** Lets the module prune what it kept for the window. Never rejects: a reader that stays is taken over by the next run. */
  async close(): Promise<void> {
    await withDeadline(this.#call('forgetReader', [this.#reader]), CLOSE_MS, 'forgetReader').catch(
      () => undefined,
    );
    this.#rpc.close();
  }

  get #reader(): string {
    return `tools-${this.#options.verb}`;
  }

  async #begin(): Promise<void> {
    if (this.#options.from === 'oldest') {
      const { start } = await this.#read({ limit: 1, reader: this.#reader });
      this.#next = start ?? 1;
    } else {
      this.#next = (await this.newest()) + 1;
      await this.#read({ startSeq: this.#next, limit: 0, reader: this.#reader });
    }
  }

  async #read(range: object): Promise<{ readonly start: number | null; readonly items: readonly LogItem[] }> {
    const { info, log } = (await this.#call('readRecords', [range])) as {
      info?: { start?: unknown };
      log?: unknown;
    };
    if (!(log instanceof RpcStream)) throw unexpected('readRecords');
    const items: LogItem[] = [];
    for await (const item of log) items.push(item as LogItem);
    return { start: typeof info?.start === 'number' ? info.start : null, items };
  }

  #call(name: string, rpcArgs: readonly unknown[]): Promise<unknown> {
    return this.#rpc.call(name, { rpcArgs, subLevel: [], logName: LOG_NAME });
  }

  #missing(from: number, to: number, damaged: boolean): void {
    if (this.#options.onMissing === undefined)
      throw new ToolError(
        damaged ? `record ${from} of the log cannot be read` : `records ${from} to ${to} are not in the log`,
      );
    this.#options.onMissing({ from, to, damaged });
  }
}

function unexpected(call: string): CatalogueError {
  return new CatalogueError('InternalError', `the metadata module answered ${call} with something else`);
}
