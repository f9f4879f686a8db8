/** Look-ups of single keys that come at a time share one command. */

/** Commands under way at a time; what comes while all are busy waits and shares the next. */
const MAX_COMMANDS = 8;
/** Keys of one command. */
const MAX_KEYS = 500;

export type ReadKeys = (keys: readonly string[]) => Promise<ReadonlyMap<string, Buffer>>;

interface Waiting {
  readonly keys: readonly string[];
  readonly resolve: (values: ReadonlyMap<string, Buffer>) => void;
  readonly reject: (err: unknown) => void;
}

export class GetBatcher {
  readonly #read: ReadKeys;
  readonly #patienceMs: number;
  #waiting: Waiting[] = [];
  #commands = 0;
  #scheduled = false;

  /** @param patienceMs a command that is not answered for so long makes room for another */
  constructor(read: ReadKeys, patienceMs: number) {
    this.#read = read;
    this.#patienceMs = patienceMs;
  }

  /** The values of the keys that are there, of others' keys too. Keys of one call are read in one command. */
  get(keys: readonly string[]): Promise<ReadonlyMap<string, Buffer>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ keys, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#send();
      });
    });
  }

  #send(): void {
    while (this.#waiting.length > 0 && this.#commands < MAX_COMMANDS) {
      void this.#sendOne(this.#take());
    }
  }

  /** At least one call, and as many more as fit. */
  #take(): Waiting[] {
    let count = 1;
    let keys = this.#waiting[0]?.keys.length ?? 0;
    for (; count < this.#waiting.length; count += 1) {
      keys += this.#waiting[count]?.keys.length ?? 0;
      if (keys > MAX_KEYS) break;
    }
    return this.#waiting.splice(0, count);
  }

  async #sendOne(calls: readonly Waiting[]): Promise<void> {
    this.#commands += 1;
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      this.#commands -= 1;
      this.#send();
    };
    const timer = setTimeout(end, this.#patienceMs);
    try {
      const values = await this.#read([...new Set(calls.flatMap(({ keys }) => keys))]);
      for (const { resolve } of calls) resolve(values);
    } catch (err) {
      for (const { reject } of calls) reject(err);
    } finally {
      end();
    }
  }
}
