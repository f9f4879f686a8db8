/**
 * Runs work with bounded concurrency: pieces of one key one after the other, in the order in which they
 * came; different keys side by side, each key getting its turn. With a concurrency of 1 all come in order.
 */
export class KeyedPool {
  readonly #concurrency: number;
  readonly #lanes = new Map<string, (() => Promise<void>)[]>();
  readonly #turns: string[] = [];
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #pending = 0;
  #anonymous = 0;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  /** Pieces that wait or run. */
  get pending(): number {
    return this.#pending;
  }

  /** Adds a piece of work, which must not reject. Pieces without a key are in no order with any other. */
  add(key: string, work: () => Promise<void>): void {
    const lane = this.#concurrency === 1 ? '' : key === '' ? `\0${++this.#anonymous}` : key;
    const pieces = this.#lanes.get(lane);
    this.#pending++;
    if (pieces) {
      pieces.push(work);
      return;
    }
    this.#lanes.set(lane, [work]);
    this.#turns.push(lane);
    this.#pump();
  }

  /** Resolves when no more than `count` pieces wait or run. */
  async below(count: number): Promise<void> {
    while (this.#pending > count) await new Promise<void>(resolve => this.#waiting.push(resolve));
  }

  #pump(): void {
    while (this.#running < this.#concurrency) {
      const lane = this.#turns.shift();
      if (lane === undefined) return;
      this.#running++;
      void this.#runFirstOf(lane);
    }
  }

  async #runFirstOf(lane: string): Promise<void> {
    const pieces = this.#lanes.get(lane) ?? [];
    const work = pieces.shift();
    try {
      await work?.();
    } finally {
      this.#running--;
      this.#pending--;
      if (pieces.length > 0) this.#turns.push(lane);
      else this.#lanes.delete(lane);
      for (const wake of this.#waiting.splice(0)) wake();
      this.#pump();
    }
  }
}
