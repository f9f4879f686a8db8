/** Work on one key at a time; work on different keys runs concurrently. */
export class KeyLock {
  /** The last work in line for each key. Keys without work are not here. */
  readonly #last = new Map<string, Promise<void>>();

  /** Runs `work` when all that came before it on `key` has settled, and settles as it does. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const result = before === undefined ? work() : before.then(work);
    const onSettled = (): void => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    };
    // The caller hears of a failure; who is next in line need not.
    const settled: Promise<void> = result.then(onSettled, onSettled);
    this.#last.set(key, settled);
    return result;
  }

  /** Resolves when all work that is in line now has settled. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
