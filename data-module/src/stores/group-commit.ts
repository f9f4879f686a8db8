/** What comes while a batch is being written forms the next one, so that one sync serves all of it. */

export interface GroupCommitOptions<T> {
  /** Of a batch. A single entry may have more. */
  readonly maxBytes: number;
  readonly maxEntries?: number;
  /** Tells each entry what has become of it. Must not reject. Called again only when it has resolved. */
  readonly write: (batch: readonly T[]) => Promise<void>;
}

export class GroupCommit<T extends { readonly bytes: number }> {
  readonly #options: GroupCommitOptions<T>;
  #waiting: T[] = [];
  #waitingBytes = 0;
  #batch: Promise<void> | undefined;
  #running: Promise<void> | undefined;

  constructor(options: GroupCommitOptions<T>) {
    this.#options = options;
  }

  /** Of entries that are in no batch yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  add(entry: T): void {
    this.#waiting.push(entry);
    this.#waitingBytes += entry.bytes;
    this.#running ??= this.#run();
  }

  /** Resolves when the batch that is being written now, if there is one, has been. */
  async batchWritten(): Promise<void> {
    await this.#batch;
  }

  /** Resolves when all that was added has been written, also what is added until then. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      do {
        // What else comes in this turn of the event loop belongs to the batch: the fewer batches, the less each entry costs.
        await new Promise(setImmediate);
        await (this.#batch = this.#options.write(this.#take()));
      } while (this.#waiting.length > 0);
    } finally {
      // In the same turn as the look at what waits: nothing may come in between.
      this.#running = undefined;
      this.#batch = undefined;
    }
  }

  #take(): T[] {
    const { maxBytes, maxEntries = Infinity } = this.#options;
    let [count, bytes] = [0, 0];
    for (const entry of this.#waiting) {
      if (count > 0 && (bytes + entry.bytes > maxBytes || count >= maxEntries)) break;
      count += 1;
      bytes += entry.bytes;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }
}
