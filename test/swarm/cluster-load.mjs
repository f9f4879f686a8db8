/** What the clients of the cluster saw while something happened to it. */

/** Clients that work at the same time. */
export class ClusterLoad {
  #clients;
  #stopping = new globalThis.AbortController();
  #working;
  #began = Date.now();
  #requests = 0;
  #retries = 0;
  #failures = [];
  #longestMs = 0;
  #slowest = '';
  #lastAnswer = Date.now();
  #longestGapMs = 0;

  constructor(clients) {
    this.#clients = clients;
    this.#working = Promise.all(this.#clients.map(client => client.work(this, this.#stopping.signal)));
  }

  /** Notes a request: `send` gets an object whose `count` it sets to how often it tried again. */
  async request(what, send) {
    const tries = {};
    const start = Date.now();
    try {
      await send(tries);
      this.#answered();
    } catch (err) {
      const after = ((Date.now() - start) / 1000).toFixed(1);
      this.#failures.push(`${what} after ${after} s: ${err.name} ${err.message}`);
    }
    this.#requests += 1;
    this.#retries += tries.count ?? 0;
    const took = Date.now() - start;
    if (took > this.#longestMs) [this.#longestMs, this.#slowest] = [took, what];
  }

  #answered() {
    this.#longestGapMs = Math.max(this.#longestGapMs, Date.now() - this.#lastAnswer);
    this.#lastAnswer = Date.now();
  }

  /** Ends the load. Resolves with what it saw; times in seconds. */
  async stop() {
    this.#stopping.abort();
    await this.#working;
    return {
      requests: this.#requests,
      retries: this.#retries,
      failures: this.#failures,
      longestGap: this.#longestGapMs / 1000,
      longestRequest: this.#longestMs / 1000,
      slowest: this.#slowest,
      seconds: (Date.now() - this.#began) / 1000,
    };
  }
}
