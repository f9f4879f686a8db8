/**
 * Version ids: texts that sort the newest version first.
 *
 * 14 digits of 99999999999999 minus the time in ms, 6 digits of 999999 minus the position within that ms,
 * the replication group padded to 7, a counter. The time comes from a clock that does not run backwards
 * and that begins, after a restart, later than every id that was handed out before.
 */
import type { MonotonicClock } from '../store/monotonic-clock.js';

const MAX_TIME = 99_999_999_999_999;
const MAX_POSITION = 999_999;
const REPLICATION_GROUP = 'RG001'.padEnd(7);

/** The id of what was stored before versioning: it sorts after every other. */
export const INFINITE_VERSION_ID = `${'9'.repeat(14)}${'9'.repeat(6)}${REPLICATION_GROUP}`;

export class VersionIds {
  readonly #clock: MonotonicClock;
  #time = 0;
  #position = 0;
  #counter = 0;

  constructor(clock: MonotonicClock) {
    this.#clock = clock;
  }

  /** A new id; it sorts before all that were handed out earlier. */
  next(): string {
    let time = this.#clock.now();
    if (time !== this.#time) {
      this.#position = 0;
    } else if (this.#position < MAX_POSITION) {
      this.#position += 1;
    } else {
      time = this.#clock.skip();
      this.#position = 0;
    }
    this.#time = time;
    const id =
      String(MAX_TIME - time).padStart(14, '0') +
      String(MAX_POSITION - this.#position).padStart(6, '0') +
      REPLICATION_GROUP +
      String(this.#counter);
    this.#counter += 1;
    return id;
  }
}
