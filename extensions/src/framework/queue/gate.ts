/** What a consumer's pieces of work pass before they begin; closed while it is paused. */
import { orAborted } from '@zenko-modules/common/abort';

export class Gate {
  #opened: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  get isClosed(): boolean {
    return this.#opened !== undefined;
  }

  close(): void {
    if (this.#opened) return;
    let resolve = (): void => undefined;
    const promise = new Promise<void>(settle => (resolve = settle));
    this.#opened = { promise, resolve };
  }

  open(): void {
    this.#opened?.resolve();
    this.#opened = undefined;
  }

  /** Resolves when it is open, or `signal` is aborted. */
  async passed(signal: AbortSignal): Promise<void> {
    while (this.#opened && !signal.aborted) await orAborted(this.#opened.promise, signal);
  }
}
