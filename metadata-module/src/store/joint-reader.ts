/**
 * Reads that are asked for in one turn of the event loop go to the LevelDOWN together, where it can read many
 * keys at once: a trip to another thread costs leveldown more than the read.
 */
import { isNotFound } from '../leveldowns/level-calls.js';
import type { LevelDown } from '../leveldowns/plugin.js';

/** Keys per trip. Several trips are made at the same time, for a disk that has to look for them. */
const MAX_KEYS = 8;

interface Wanted {
  readonly key: string;
  readonly resolve: (value: string | undefined) => void;
  readonly reject: (err: unknown) => void;
}

export class JointReader {
  readonly #level: LevelDown;
  readonly #takesMany: boolean;
  #wanted: Wanted[] = [];

  constructor(level: LevelDown) {
    this.#level = level;
    this.#takesMany = level.supports?.getMany === true;
  }

  /** The value under `key`, or `undefined`. Rejects with the LevelDOWN's own error. */
  get(key: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      if (!this.#takesMany) {
        this.#getOne({ key, resolve, reject });
        return;
      }
      // After all that the present turn asks for.
      if (this.#wanted.length === 0) process.nextTick(() => this.#flush());
      this.#wanted.push({ key, resolve, reject });
    });
  }

  #flush(): void {
    const wanted = this.#wanted;
    this.#wanted = [];
    for (let at = 0; at < wanted.length; at += MAX_KEYS) this.#getMany(wanted.slice(at, at + MAX_KEYS));
  }

  #getMany(wanted: readonly Wanted[]): void {
    const keys = wanted.map(({ key }) => key);
    this.#level.getMany(keys, { asBuffer: false }, (err, values) => {
      // One of them fails all: asked alone, each gets its own answer.
      if (err) for (const one of wanted) this.#getOne(one);
      else for (const [index, { resolve }] of wanted.entries()) resolve(values[index] as string | undefined);
    });
  }

  #getOne({ key, resolve, reject }: Wanted): void {
    this.#level.get(key, { asBuffer: false }, (err: Error | null | undefined, value: unknown) => {
      if (!err) resolve(value as string);
      else if (isNotFound(err)) resolve(undefined);
      else reject(err);
    });
  }
}
