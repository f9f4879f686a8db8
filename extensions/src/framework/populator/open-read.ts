/** One read of the record log whose records are taken as they come, some at a time. */
import type { RpcStream } from '@zenko-modules/rpc/client';
import { type LogItem, parseItem } from './record-log-item.js';

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
  readonly #messages: AsyncGenerator<readonly unknown[], void, undefined>;
  /** Come, and not taken. */
  #held: Items = [];
  #next: number;
  #left: NodeJS.Timeout | undefined;

  constructor({ start, end, stream }: OpenReadOptions) {
    this.start = start;
    this.#next = start ?? 0;
    this.#end = start === null || end === null ? -1 : end;
    this.#messages = stream.messages();
  }

  /** Whether all that it covers has been taken. */
  get isOver(): boolean {
    return this.#next > this.#end;
  }

  /** The next records, at least one and at most `max`; none at its end. Rejects when the stream breaks off. */
  async take(max: number): Promise<Items> {
    clearTimeout(this.#left);
    while (this.#held.length === 0 && !this.isOver) {
      const step = await this.#messages.next();
      if (step.done) return [];
      this.#held = step.value.map(parseItem);
    }
    const taken = this.#held.slice(0, max);
    this.#held = this.#held.slice(max);
    this.#next += taken.length;
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
    this.#held = [];
    // It may be broken already: nobody wants more of it.
    this.#messages.return().catch(() => undefined);
  }
}
