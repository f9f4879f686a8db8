/** Version ids have no digits for later times, which no clock ever showed. Some are left for ids after it. */
const LATEST = Date.UTC(5138, 0, 1);

/**
 * Milliseconds since the epoch that never run backwards, whatever the system's clock does.
 *
 * Version ids and the timestamps of log records are taken from one such clock. So the last record's
 * timestamp is never before a version id that was handed out, and a restart that begins after it neither
 * repeats an id nor runs backwards: nothing else has to be stored.
 */
export class MonotonicClock {
  readonly #systemTime: () => number;
  #last: number;

  /** @param after the clock begins later than this time. */
  constructor(after = 0, systemTime: () => number = Date.now) {
    this.#systemTime = systemTime;
    this.#last = after + 1;
  }

  now(): number {
    this.#last = Math.max(this.#last, this.#systemTime());
    return this.#last;
  }

  /** Moves on to the next millisecond without waiting for it. */
  skip(): number {
    this.#last += 1;
    return this.#last;
  }

  /** Never shows a time before `time` or at it from now on; @returns false when that is no time that it can have shown. */
  passed(time: number): boolean {
    if (!(time <= LATEST)) return false;
    this.#last = Math.max(this.#last, time + 1);
    return true;
  }
}
