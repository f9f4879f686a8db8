/** What is fuzzed: a part that runs, and the cases that are tried on it. */
import type { Random } from '@zenko-modules/common/testing/random';

/** Lets go, last first, of what a target started. The same shape as node:test's context. */
export class Owner {
  readonly #undo: (() => unknown)[] = [];

  after(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  async close(): Promise<void> {
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) await undo();
  }
}

export interface FuzzOptions {
  /** What does not answer a known-good request for so long hangs. */
  readonly hangMs: number;
  /** Told what is worth a line in the log and is no finding. */
  readonly note: (text: string) => void;
}

export interface Target {
  readonly name: string;
  readonly about: string;
  readonly open: (owner: Owner, options: FuzzOptions) => Promise<FuzzRun>;
}

export interface FuzzRun {
  /** One case; everything random in it comes from `random`. Rejects with what was found. */
  readonly tryOne: (random: Random) => Promise<void>;
}

/** Something that must not be. `detail` is for the log. */
export class Finding extends Error {
  constructor(
    message: string,
    readonly detail = '',
  ) {
    super(message);
    this.name = 'Finding';
  }
}
