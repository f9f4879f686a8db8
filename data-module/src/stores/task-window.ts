/** Runs tasks, a bounded number of them at once, until the first fails. */
export class TaskWindow {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly reason: unknown } | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Waits for a free place and starts the task. Rejects, without starting it, when one has failed before. */
  async start(task: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#limit && this.#failure === undefined)
      await Promise.race(this.#running);
    this.#throwFailure();
    const running = task()
      .catch((reason: unknown) => {
        this.#failure ??= { reason };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when every task has ended well; rejects with the first failure when every task has ended. */
  async end(): Promise<void> {
    await Promise.all(this.#running);
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.reason;
  }
}
