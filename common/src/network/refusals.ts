/** Connections that are refused: all are counted, and some are logged. */
import type { Counter } from 'prom-client';
import type { Logger } from '../logger.js';

/** Who refused connections floods must not flood the log with them. */
const LOG_EVERY_MS = 10_000;

export const REFUSALS = {
  address: 'a connection from an address that ALLOW_FROM does not name was closed',
  handshake: 'a TLS handshake failed',
  'too many handshakes': 'a TLS handshake was cut off: too many are under way',
} as const;

export type Refusal = keyof typeof REFUSALS;

export class Refusals {
  readonly #log: Logger;
  readonly #counter: Counter<'port' | 'reason'>;
  readonly #now: () => number;
  readonly #seen = new Map<string, { count: number; loggedAt: number }>();

  constructor(log: Logger, counter: Counter<'port' | 'reason'>, now = (): number => performance.now()) {
    this.#log = log;
    this.#counter = counter;
    this.#now = now;
  }

  /**
   * @param portSetting which port it came by
   * @param detail for the log: a line speaks of all since the one before, and shows the last of them
   */
  add(portSetting: string, reason: Refusal, detail: Readonly<Record<string, unknown>>): void {
    this.#counter.inc({ port: portSetting, reason });
    const key = `${portSetting} ${reason}`;
    const seen = this.#seen.get(key) ?? { count: 0, loggedAt: -Infinity };
    this.#seen.set(key, seen);
    seen.count += 1;
    const now = this.#now();
    if (now - seen.loggedAt < LOG_EVERY_MS) return;
    this.#log.warn({ port: portSetting, ...detail, connections: seen.count }, REFUSALS[reason]);
    seen.count = 0;
    seen.loggedAt = now;
  }
}
