/** Work in the background that is done at once, and again after each pause, one run at a time. */
import { sleep } from '@zenko-modules/common/deadline';

export class Repeated {
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  /** @param work never rejects, and ends soon after its signal is aborted */
  constructor(pauseMs: number, work: (signal: AbortSignal) => Promise<void>) {
    this.#running = this.#run(pauseMs, work);
  }

  /** Resolves when the run that is under way has ended. */
  close(): Promise<void> {
    this.#stop.abort();
    return this.#running;
  }

  async #run(pauseMs: number, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await work(signal);
      await sleep(pauseMs, signal);
    }
  }
}
