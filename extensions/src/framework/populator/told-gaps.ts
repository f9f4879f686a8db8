/** Says once what is not in the log: numbers that are missing, records that cannot be read, a log that is another. */
import type { Logger } from '@zenko-modules/common/logger';
import type { PopulatorMetrics } from '../extension-metrics.js';
import type { Cursor } from './cursor.js';
import { fingerprint } from './record-log-item.js';
import type { Batch } from './record-log-reader.js';

/** Several extensions may come by the same place; so many places are remembered. */
const MAX_TOLD = 1000;

export class ToldGaps {
  readonly #metrics: PopulatorMetrics;
  readonly #log: Logger;
  readonly #told = new Set<string>();

  constructor(metrics: PopulatorMetrics, log: Logger) {
    this.#metrics = metrics;
    this.#log = log;
  }

  /** @param cursor where `batch` was read from. */
  tell(batch: Batch, cursor: Cursor): void {
    this.#tellGap(batch, cursor.nextSeq);
    for (const [index, item] of batch.items.entries()) {
      const seq = batch.start + index;
      if (item !== undefined || !this.#isNews(`damaged ${seq} ${cursor.lastRecord ?? ''}`)) continue;
      this.#metrics.poisoned.inc({ reason: 'record', extension: '' });
      this.#log.error({ seq }, 'passed over a record that cannot be read');
    }
  }

  #tellGap({ gap, start, items }: Batch, expected: number): void {
    if (gap === undefined) return;
    const [first] = items;
    const other = first && fingerprint(first);
    if (!this.#isNews(gap === 'other' ? `other ${other ?? ''}` : `${gap} ${expected} ${start}`)) return;
    const count = start - expected;
    if (gap === 'missing') {
      this.#metrics.missing.inc(count);
      const numbers = { from: expected, to: start - 1, count };
      this.#log.error(numbers, `${count} numbers are missing in the record log: reading on after them`);
    } else if (gap === 'pruned') {
      this.#metrics.resets.inc({ reason: gap });
      this.#log.error(
        { expected, start },
        `${count} records were pruned before they were read: they are lost`,
      );
    } else {
      this.#metrics.resets.inc({ reason: gap });
      this.#log.error(
        { expected, start, records: items.length },
        'the record log is not the one read before (restored or emptied?): reading it from its start',
      );
    }
  }

  #isNews(what: string): boolean {
    if (this.#told.has(what)) return false;
    this.#told.add(what);
    const [oldest] = this.#told;
    if (this.#told.size > MAX_TOLD && oldest !== undefined) this.#told.delete(oldest);
    return true;
  }
}
