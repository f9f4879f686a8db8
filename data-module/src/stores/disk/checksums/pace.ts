import { sleep } from '@zenko-modules/common/deadline';

/** Work in the background takes a quarter of the time, so that what clients wait for hardly meets it. */
const REST = 3;

export class Pace {
  #since = performance.now();

  /** To be called every few milliseconds of work: rests three times as long as it took. */
  async rest(signal?: AbortSignal): Promise<void> {
    await sleep((performance.now() - this.#since) * REST, signal);
    this.#since = performance.now();
  }
}
