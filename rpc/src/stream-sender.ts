/**
 * Sends the items of one stream over a socket, at the speed of its reader.
 *
 * What the iterator has at hand goes out together in one message, so that the first item waits for no
 * other, and later ones wait for a full message, or until the reader has taken all that is on its way. A message is
 * bounded in items and in bytes, and so is the number of messages on the way.
 */
import { CatalogueError } from '@zenko-modules/common/errors';
import { approximateBytes } from './approximate-bytes.js';
import type { RpcLimits } from './limits.js';
import type { ItemIterator } from './service.js';
import { STREAM_MESSAGES_IN_FLIGHT, toWireError } from './wire.js';

/**
 * A message is sent when it holds about this many bytes. A larger item travels alone. From 128 KiB on V8 makes a text in
 * memory that it asks the system for each time, which takes both sides longer than a further message.
 */
const MAX_BYTES = 100 * 1024;
/** A message is sent when it holds this many items, … */
const FIRST_ITEMS = 64;
/** … or, later, this part of all that were sent. */
const PART_OF_ALL = 4;
/** So many items may be on the way, or the same part of all: who hangs up has not been sent much in vain. */
const FIRST_ON_THE_WAY = FIRST_ITEMS * STREAM_MESSAGES_IN_FLIGHT;
/**
 * What CloudServer reads for a page of 1000, with the one by which it knows that there is another page. Who has so many
 * items may want no more: others go out when these are acknowledged. The items that would else be on the way in vain
 * cost both sides a quarter of a page.
 */
const PAGE_ITEMS = 1001;

/** What a stream needs of a socket. */
export interface StreamSocket {
  /**
   * Sends an event whose payload takes about `bytes` in memory; `onAck` is called once, with an error when no
   * acknowledgement came within `timeoutMs`.
   */
  request(
    event: string,
    payload: unknown,
    bytes: number,
    timeoutMs: number,
    onAck: (err: Error | null) => void,
  ): void;
  /** Sends an event that asks for no acknowledgement. */
  notify(event: string, payload: unknown): void;
}

export interface StreamSenderOptions {
  readonly streamId: string;
  readonly socket: StreamSocket;
  readonly items: ItemIterator<unknown>;
  readonly limits: Pick<RpcLimits, 'ackMs' | 'stepMs'>;
  /** Called once, when the stream is over and its iterator has been told to end; with the error of one that failed. */
  readonly onClosed: (err?: unknown) => void;
}

export class StreamSender {
  readonly #options: StreamSenderOptions;
  readonly #steps: NodeJS.Timeout;
  #batch: unknown[] = [];
  #batchBytes = 0;
  #inFlight = 0;
  #sent = 0;
  #acknowledged = 0;
  #flushing: NodeJS.Immediate | undefined;
  #wake: (() => void) | undefined;
  #closed = false;

  /** Starts to send at once. */
  constructor(options: StreamSenderOptions) {
    this.#options = options;
    const { stepMs } = options.limits;
    this.#steps = setTimeout(() => {
      this.fail(new CatalogueError('ServiceUnavailable', `a stream made no step for ${stepMs} ms`));
    }, stepMs);
    this.#steps.unref();
    void this.#pump();
  }

  /** Ends the stream without a word: the reader wants no more, or has gone. */
  hangUp(): void {
    this.#close();
  }

  /** Ends the stream and tells the reader why. */
  fail(err: unknown): void {
    if (this.#closed) return;
    this.#options.socket.notify('stream-error', {
      streamId: this.#options.streamId,
      error: toWireError(err),
    });
    this.#close(err);
  }

  async #pump(): Promise<void> {
    try {
      for (;;) {
        // Nothing is read ahead: of thousands of streams it would be more than what is on the way.
        if (!this.#hasRoom()) await this.#room();
        const step = await this.#options.items.next();
        if (this.#closed) return;
        this.#steps.refresh();
        if (step.done) break;
        this.#add(step.value);
        this.#addAtHand();
        if (this.#isFull()) this.#flush();
        else this.#flushSoon();
      }
      await this.#room();
      this.#flush();
      this.#end();
    } catch (err) {
      this.fail(err);
    }
  }

  #add(item: unknown): void {
    this.#batch.push(item);
    this.#batchBytes += approximateBytes(item);
  }

  #addAtHand(): void {
    while (!this.#isFull()) {
      const item = this.#options.items.atHand?.();
      if (item === undefined) return;
      this.#add(item);
    }
  }

  #isFull(): boolean {
    const items = Math.max(FIRST_ITEMS, this.#sent / PART_OF_ALL);
    const endsPage = this.#sent + this.#batch.length === PAGE_ITEMS;
    return this.#batch.length >= items || this.#batchBytes >= MAX_BYTES || endsPage;
  }

  #hasRoom(): boolean {
    const onTheWay = this.#sent - this.#acknowledged;
    if (this.#sent === PAGE_ITEMS && onTheWay > 0) return false;
    const items = Math.max(FIRST_ON_THE_WAY, this.#sent / PART_OF_ALL);
    return this.#inFlight < STREAM_MESSAGES_IN_FLIGHT && onTheWay < items;
  }

  async #room(): Promise<void> {
    while (!this.#closed && !this.#hasRoom()) {
      await new Promise<void>(resolve => {
        this.#wake = resolve;
      });
    }
  }

  /** A reader that has something on its way waits for a full message: many small ones cost both sides more. */
  #flushSoon(): void {
    if (this.#inFlight === 0) this.#flushing ??= setImmediate(() => this.#flush());
  }

  #flush(): void {
    clearImmediate(this.#flushing);
    this.#flushing = undefined;
    if (this.#closed || this.#batch.length === 0 || !this.#hasRoom()) return;
    const [data, bytes] = [this.#batch, this.#batchBytes];
    this.#batch = [];
    this.#batchBytes = 0;
    this.#sent += data.length;
    this.#inFlight += 1;
    const { socket, streamId, limits } = this.#options;
    socket.request('stream-data', { streamId, data }, bytes, limits.ackMs, this.#onAckOf(data.length));
  }

  /** Holds nothing of the message, which need not stay in memory until it is acknowledged. */
  #onAckOf(items: number): (err: Error | null) => void {
    return err => this.#onAck(err, items);
  }

  #onAck(err: Error | null, items: number): void {
    if (this.#closed) return;
    if (err) {
      this.fail(
        new CatalogueError(
          'ServiceUnavailable',
          `the client did not acknowledge a part of the stream within ${this.#options.limits.ackMs} ms`,
        ),
      );
      return;
    }
    this.#inFlight -= 1;
    this.#acknowledged += items;
    this.#steps.refresh();
    this.#wake?.();
    this.#flushSoon();
  }

  #end(): void {
    if (this.#closed) return;
    const { socket, streamId, limits } = this.#options;
    // The iterator is at its end whether or not the reader confirms that it saw it.
    socket.request('stream-end', { streamId }, 0, limits.ackMs, () => undefined);
    this.#close();
  }

  #close(err?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#steps);
    clearImmediate(this.#flushing);
    this.#batch = [];
    this.#wake?.();
    const { items, onClosed } = this.#options;
    const ended = items.return?.() ?? Promise.resolve();
    ended.then(
      () => onClosed(err),
      (failure: unknown) => onClosed(err ?? failure),
    );
  }
}
