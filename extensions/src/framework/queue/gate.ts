/** What a consumer's pieces of work pass before they begin; closed while it is paused. */
export class Gate {
  #closed: PromiseWithResolvers | undefined;

  close(): void {
    this.#closed ??= withResolvers();
  }

  open(): void {
    this.#closed?.resolve();
    this.#closed = undefined;
  }

  /** Resolves when it is open, or `signal` is aborted. */
  async passed(signal: AbortSignal): Promise<void> {
    const aborted = withResolvers();
    signal.addEventListener('abort', aborted.resolve, { once: true });
    while (this.#closed && !signal.aborted) await Promise.race([this.#closed.promise, aborted.promise]);
    signal.removeEventListener('abort', aborted.resolve);
  }
}

interface PromiseWithResolvers {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function withResolvers(): PromiseWithResolvers {
  let resolve = (): void => undefined;
  const promise = new Promise<void>(settle => (resolve = settle));
  return { promise, resolve };
}
