/** Look-ups of single keys that come at a time share one command. */

/** Commands under way at a time; what comes while all are busy waits and shares the next. */
const MAX_COMMANDS = 8;
/** Keys of one command. */
const MAX_KEYS = 500;

export interface KeysRead {
  /** Of the keys that are there. */
  readonly values: ReadonlyMap<string, Buffer>;
  /** Keys for which the reply had no room: not all. */
  readonly unread: ReadonlySet<string>;
}

export type ReadKeys = (keys: readonly string[]) => Promise<KeysRead>;

interface Waiting {
  /** Those that are not read yet. */
  readonly keys: readonly string[];
  /** What was found of others of the same call. */
  readonly found: readonly (readonly [key: string, value: Buffer])[];
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

  /**
   * The values of the keys that are there, of others' keys too. Keys of one call are read in one command, and in further
   * ones where a reply had no room for them: however large the values are, a reply per command is held.
   */
  get(keys: readonly string[]): Promise<ReadonlyMap<string, Buffer>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ keys, found: [], resolve, reject });
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
      const read = await this.#read([...new Set(calls.flatMap(({ keys }) => keys))]);
      const again = calls.flatMap(call => tell(call, read));
      this.#waiting.unshift(...again);
    } catch (err) {
      for (const { reject } of calls) reject(err);
    } finally {
      end();
    }
  }
}

/** Resolves a call that has got all; of another one, what is left to be read. */
function tell(call: Waiting, { values, unread }: KeysRead): Waiting[] {
  const left = call.keys.filter(key => unread.has(key));
  if (left.length === call.keys.length) return [call];
  if (left.length === 0 && call.found.length === 0) {
    call.resolve(values);
    return [];
  }
  const found = [
    ...call.found,
    ...call.keys.flatMap(key => {
      const value = values.get(key);
      return value === undefined ? [] : [[key, value] as const];
    }),
  ];
  if (left.length > 0) return [{ ...call, keys: left, found }];
  call.resolve(new Map(found));
  return [];
}
