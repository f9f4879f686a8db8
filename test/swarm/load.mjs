/** A light, bounded load: what users do while something happens to the stack. */
import { randomBytes, randomInt } from 'node:crypto';
import { sleep } from './waiting.mjs';

const WORKERS = 3;
const PAUSE_MS = 40;
/** Each worker writes to keys of its own, so that it knows what it must read. */
const KEYS_PER_WORKER = 40;
const LARGEST_BYTES = 300_000;

export class Load {
  #bucket;
  #stopping = false;
  #workers = [];
  #failures = [];
  #requests = 0;
  #retriesBefore;
  #longestMs = 0;

  constructor(bucket) {
    this.#bucket = bucket;
    this.#retriesBefore = bucket.retries;
    this.#workers = Array.from({ length: WORKERS }, (_, number) => this.#work(number));
  }

  /** Ends the load and resolves with what it saw. */
  async stop() {
    this.#stopping = true;
    await Promise.all(this.#workers);
    return {
      requests: this.#requests,
      retries: this.#bucket.retries - this.#retriesBefore,
      failures: this.#failures,
      longestSeconds: this.#longestMs / 1000,
    };
  }

  async #work(number) {
    for (let turn = 0; !this.#stopping; turn += 1) {
      const key = `load/${number}/${turn % KEYS_PER_WORKER}`;
      await this.#request(`PUT ${key}`, () =>
        this.#bucket.put(key, randomBytes(randomInt(1, LARGEST_BYTES))),
      );
      await this.#request(`GET ${key}`, () => this.#bucket.check(key));
      if (turn % 5 === 4) {
        await this.#request(`DELETE ${key}`, () => this.#bucket.delete(key));
      }
      await sleep(PAUSE_MS);
    }
  }

  async #request(what, send) {
    const start = Date.now();
    try {
      await send();
    } catch (err) {
      this.#failures.push(`${what}: ${err.name} ${err.message}`);
    }
    this.#requests += 1;
    this.#longestMs = Math.max(this.#longestMs, Date.now() - start);
  }
}
