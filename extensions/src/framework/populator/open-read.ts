/**
 * One read of the record log whose records are taken as they come, some at a time. A little is fetched ahead, so that
 * the metadata module need not wait while those that came are filtered, and who has fallen behind takes more at once.
 */
import { messageOf } from '@zenko-modules/common/errors';
import type { RpcStream } from '@zenko-modules/rpc/client';
import { type LogItem, parseItem } from './record-log-item.js';

/** Messages that wait to be taken; each has 256 KiB of records, or one larger record. */
const MESSAGES_AHEAD = 4;

export type Items = readonly (LogItem | undefined)[];

export interface OpenReadOptions {
  /** First and last sequence number that the read covers; `null` when it covers none. */
  readonly start: number | null;
  readonly end: number | null;
  readonly stream: RpcStream;
}

export class OpenRead {
  readonly start: number | null;
  readonly #end: number;
  readonly #stream: RpcStream;
  /** Come, and not taken. */
  readonly #held: Items[] = [];
  #next: number;
  #left: NodeJS.Timeout | undefined;
  /** Nothing more comes. */
  #ended = false;
  #failure: Error | undefined;
  #wakeTaker: (() => void) | undefined;
  #wakeFetcher: (() => void) | undefined;

  constructor({ start, end, stream }: OpenReadOptions) {
    this.start = start;
    this.#next = start ?? 0;
    this.#end = start === null || end === null ? -1 : end;
    this.#stream = stream;
    void this.#fetch();
  }

  /** Whether all that it covers has been taken. */
  get isOver(): boolean {
    return this.#next > this.#end;
  }

  /** The next records, at least one and at most `max`; none at its end. Rejects when the stream breaks off. */
  async take(max: number): Promise<Items> {
    clearTimeout(this.#left);
    while (this.#held.length === 0 && !this.isOver) {
      if (this.#failure) throw this.#failure;
      if (this.#ended) return [];
      await new Promise<void>(resolve => (this.#wakeTaker = resolve));
    }
    const taken: (LogItem | undefined)[] = [];
    for (let items = this.#held.shift(); items; items = this.#held.shift()) {
      const room = max - taken.length;
      taken.push(...items.slice(0, room));
      if (items.length > room) this.#held.unshift(items.slice(room));
      if (items.length >= room) break;
    }
    this.#next += taken.length;
    this.#wakeFetcher?.();
    return taken;
  }

  /** Leaves it when nothing more is taken for `ms`: who sends it waits no longer than some seconds. */
  leaveAfter(ms: number, onLeft: () => void): void {
    this.#left = setTimeout(() => {
      this.leave();
      onLeft();
    }, ms);
    this.#left.unref();
  }

  /** Ends it, whatever it still has. May be called twice. */
  leave(): void {
    clearTimeout(this.#left);
    this.#held.length = 0;
    this.#ended = true;
    this.#stream.hangUp();
    this.#wakeFetcher?.();
  }

  async #fetch(): Promise<void> {
    try {
      for await (const items of this.#stream.messages()) {
        if (this.#hasEnded()) return;
        this.#held.push(items.map(parseItem));
        this.#wakeTaker?.();
        while (this.#held.length >= MESSAGES_AHEAD && !this.#hasEnded()) {
          await new Promise<void>(resolve => (this.#wakeFetcher = resolve));
        }
      }
    } catch (err) {
      this.#failure = err instanceof Error ? err : new Error(messageOf(err));
    } finally {
      this.#ended = true;
      this.#wakeTaker?.();
    }
  }

  /** A function, as the compiler takes it for what it was before the wait. */
  #hasEnded(): boolean {
    return this.#ended;
  }
}
