/** A key with one writer, whose values are numbers that grow: what a reader may see of it is a range. */
import assert from 'node:assert/strict';
import type { Random } from '@zenko-modules/common/testing/random';
import type { VersionedDatabases } from '../versioning/versioned-databases.js';
import { BUCKET, PLAIN, VERSIONED } from './open-store.js';

export function numberIn(value: string): number {
  return (JSON.parse(value) as { n: number }).n;
}

/** What a reader that began at some moment may see. */
export interface Watch {
  readonly key: string;
  /** @throws AssertionError when the master cannot have been number `n` since; 0: not there. */
  check(n: number): void;
}

export class NumberedKey {
  readonly #key: string;
  readonly #watches = new Set<{ low: number; high: number }>();
  #n = 0;
  /** The master is between these two, as far as the writer knows. */
  #low = 0;
  #high = 0;

  constructor(key: string) {
    this.#key = key;
  }

  watch(): Watch {
    const seen = { low: this.#low, high: this.#high };
    this.#watches.add(seen);
    return {
      key: this.#key,
      check: n => {
        this.#watches.delete(seen);
        assert.ok(n >= seen.low && n <= seen.high, `${this.#key}: ${n}, not ${seen.low} to ${seen.high}`);
      },
    };
  }

  /** A put, or two versions of which the newer one is deleted, so that the older one must take its place. */
  async change(databases: VersionedDatabases, random: Random): Promise<string> {
    if (random.integer(0, 1) === 0) {
      await this.#put(databases, random.integer(0, 1) === 0);
      return 'change';
    }
    await this.#put(databases, true);
    const older = this.#n;
    const versionId = await this.#put(databases, true);
    this.#lower(older);
    await databases.del(BUCKET, this.#key, { versionId });
    this.#high = older;
    return 'change';
  }

  async #put(databases: VersionedDatabases, versioned: boolean): Promise<string | undefined> {
    this.#n += 1;
    const n = this.#n;
    this.#high = n;
    for (const seen of this.#watches) seen.high = n;
    const versionId = await databases.put(
      BUCKET,
      this.#key,
      JSON.stringify({ n }),
      versioned ? VERSIONED : PLAIN,
    );
    this.#low = n;
    return versionId;
  }

  #lower(low: number): void {
    this.#low = Math.min(this.#low, low);
    for (const seen of this.#watches) seen.low = Math.min(seen.low, low);
  }
}
