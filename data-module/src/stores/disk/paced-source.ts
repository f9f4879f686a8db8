/** An upload as it comes: whoever takes it in waits for enough of it, and learns of its end and of what broke it off. */
import type { Readable } from 'node:stream';
import { CatalogueError } from '@zenko-modules/common/errors';

export class PacedSource {
  readonly #source: Readable;
  readonly #take: (chunk: Buffer) => void;
  readonly #isEnough: () => boolean;
  #hasEnded = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;

  /** @param isEnough asked after each chunk that was given to `take`: while it holds the source is paused */
  constructor(source: Readable, take: (chunk: Buffer) => void, isEnough: () => boolean) {
    this.#source = source;
    this.#take = take;
    this.#isEnough = isEnough;
    source.on('data', this.#onData);
    source.once('end', () => {
      this.#hasEnded = true;
      this.#wake();
    });
    source.on('error', err => this.#fail(err));
    source.once('close', () => {
      if (!this.#hasEnded) this.#fail(new CatalogueError('IncompleteBody'));
    });
    if (source.destroyed) this.#fail(source.errored ?? new CatalogueError('IncompleteBody'));
  }

  /** Resolves when there is enough, or all has come; rejects with what broke the source off. */
  async enough(): Promise<void> {
    while (!this.#isEnough() && !this.#hasEnded && this.#failure === undefined)
      await new Promise<void>(resolve => (this.#wake = resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** To be called when something of it was taken away. */
  resume(): void {
    if (!this.#isEnough()) this.#source.resume();
  }

  /** Takes nothing more. */
  close(): void {
    this.#source.off('data', this.#onData);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#take(chunk);
    if (!this.#isEnough()) return;
    this.#source.pause();
    this.#wake();
  };

  #fail(err: Error): void {
    this.#failure ??= err;
    this.#wake();
  }
}
