/** A storage whose steps a test can watch, delay and let fail. */
import type { JsonJournal, JsonStorage, StoredLine, StoredText } from '../storage.js';

export type Step = 'createJournal' | 'append' | 'replaceSnapshot' | 'removeJournal';

export interface Observer {
  /** Awaited before a step; the step fails with what this rejects with. */
  before?(step: Step): Promise<void>;
  /** Awaited when the step has been done; a rejection makes it fail although it was done. */
  after?(step: Step): Promise<void>;
  /** One step at a time, its `before` and `after` included, so that these see what a crash would leave. */
  readonly exclusive?: boolean;
}

export class ObservedStorage implements JsonStorage {
  readonly #inner: JsonStorage;
  readonly observer: Observer;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(inner: JsonStorage, observer: Observer) {
    this.#inner = inner;
    this.observer = observer;
  }

  get place(): string {
    return this.#inner.place;
  }

  open(create: boolean): Promise<void> {
    return this.#inner.open(create);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  snapshot(): Promise<StoredText | undefined> {
    return this.#inner.snapshot();
  }

  replaceSnapshot(generation: number, text: AsyncIterable<string>, signal: AbortSignal): Promise<number> {
    return this.step('replaceSnapshot', () => this.#inner.replaceSnapshot(generation, text, signal));
  }

  journals(): Promise<readonly number[]> {
    return this.#inner.journals();
  }

  journal(generation: number): StoredText {
    return this.#inner.journal(generation);
  }

  async createJournal(generation: number, firstLine: string): Promise<JsonJournal> {
    const create = (): Promise<JsonJournal> => this.#inner.createJournal(generation, firstLine);
    return new ObservedJournal(this, await this.step('createJournal', create));
  }

  async resumeJournal(generation: number, last: StoredLine): Promise<JsonJournal> {
    return new ObservedJournal(this, await this.#inner.resumeJournal(generation, last));
  }

  removeJournal(generation: number): Promise<void> {
    return this.step('removeJournal', () => this.#inner.removeJournal(generation));
  }

  step<T>(name: Step, run: () => Promise<T>): Promise<T> {
    const observed = async (): Promise<T> => {
      await this.observer.before?.(name);
      const result = await run();
      await this.observer.after?.(name);
      return result;
    };
    if (this.observer.exclusive !== true) return observed();
    const turn = this.#turn.then(observed);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

/** A failure that the observer makes leaves it open what the journal holds, as a failed sync does. */
class ObservedJournal implements JsonJournal {
  readonly #storage: ObservedStorage;
  readonly #inner: JsonJournal;
  #usable = true;

  constructor(storage: ObservedStorage, inner: JsonJournal) {
    this.#storage = storage;
    this.#inner = inner;
  }

  get bytes(): number {
    return this.#inner.bytes;
  }

  get usable(): boolean {
    return this.#usable && this.#inner.usable;
  }

  async append(line: string, sync: boolean): Promise<void> {
    try {
      await this.#storage.step('append', () => this.#inner.append(line, sync));
    } catch (err) {
      this.#usable = false;
      throw err;
    }
  }

  check(): Promise<void> {
    return this.#inner.check();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
