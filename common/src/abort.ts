/** Abort signals that are made and let go of, on others that live as long as the process. */

/** A signal that follows others until it is released. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Lets go of those that it follows; the signal itself stays as it is. May be called twice. */
  readonly release: () => void;
}

/**
 * A signal that is aborted as soon as one of `sources` is. In contrast to `AbortSignal.any`, nothing of it is
 * left in a source after `release`: a source that lives for years would grow with each one.
 */
export function linkSignals(...sources: readonly AbortSignal[]): LinkedSignal {
  const linked = new AbortController();
  const releases = sources.map(source => onAbort(source, () => linked.abort(source.reason)));
  return {
    signal: linked.signal,
    release: () => {
      for (const release of releases) release();
    },
  };
}

/** Calls `listener` once, when `signal` is aborted, also when it is already. Returns what takes the listener off. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) {
    listener();
    return () => undefined;
  }
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

/** Settles as `work` does, or resolves with `undefined` as soon as `signal` is aborted; `work` itself goes on. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const release = onAbort(signal, () => resolve(undefined));
    work.then(resolve, reject).finally(release);
  });
}
