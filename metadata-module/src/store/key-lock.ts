/** Work on one key at a time; work on different keys runs concurrently. */
export class KeyLock {
  /** The last work in line for each key. Keys without work are not here. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` when all that came before it on `key` has settled, and settles as it does. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const result = before === undefined ? work() : before.then(work);
    const settled = result
      .then(
        () => undefined,
        () => undefined, // the caller hears of it; who is next in line need not
      )
      .then(() => {
        if (this.#last.get(key) === settled) this.#last.delete(key);
      });
    this.#last.set(key, settled);
    return result;
  }

  /** Resolves when all work that is in line now has settled. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
