/**
 * How long a filter that fails may hold up its extension: some minutes in one go, so that what is away for a
 * while costs nothing, and a tenth of the time in the long run, so that entries which it will never take do not
 * add up.
 */
const MOST_MS = 300_000;
const REGAINED_PER_MS = 0.1;

export class FilterPatience {
  readonly #mostMs: number;
  #leftMs: number;
  #at: number;

  constructor(mostMs = MOST_MS, now = performance.now()) {
    this.#mostMs = mostMs;
    this.#leftMs = mostMs;
    this.#at = now;
  }

  /** Milliseconds that may still be spent now; not below 0. */
  left(now = performance.now()): number {
    const regained = (now - this.#at) * REGAINED_PER_MS;
    this.#leftMs = Math.min(this.#mostMs, this.#leftMs + regained);
    this.#at = now;
    return Math.max(0, this.#leftMs);
  }

  spend(ms: number, now = performance.now()): void {
    this.#leftMs = Math.max(0, this.left(now) - ms);
  }
}
