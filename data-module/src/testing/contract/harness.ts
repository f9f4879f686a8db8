/** What the parts of the contract suite share. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError, type ErrorType } from '@zenko-modules/common/errors';
import type { DataStore } from '../../data-store.js';
import type { CompleteStore } from '../../stores/store-layer.js';

/** A store that the suite may fill, with what its author can say about the backend. */
export interface StoreUnderTest {
  readonly store: DataStore;
  /**
   * How many things (files, items) the backend holds at the moment. With it the suite checks that nothing is
   * left behind; without it those tests are skipped by name.
   */
  readonly residue?: () => Promise<number>;
  /** Closes the store and opens another on the same backend. Without it the test of that is skipped by name. */
  readonly reopen?: () => Promise<DataStore>;
}

/** The same, under the layer that makes it complete. */
export interface LayeredStoreUnderTest extends StoreUnderTest {
  readonly store: CompleteStore;
}

export interface StoreContract {
  /** Stands before the name of each test. */
  readonly name: string;
  /** A fresh store, for one test; what it starts is to be ended by `t.after`. The suite closes the store. */
  readonly open: (t: TestContext) => Promise<StoreUnderTest>;
  /** Why the suite cannot run here, as node:test's `skip` takes it. */
  readonly skip?: string | false;
  /** Sizes at which the store does something new, such as the size of its chunks. Tested with one byte less and more. */
  readonly boundaries?: readonly number[];
  /** Size of the large blob; much more than the store may hold in memory. */
  readonly largeBytes?: number;
}

const SETTLE_MS = 10_000;
const SETTLED_READS = 5;

/** Asserts that `work` rejects with an error of the catalogue of one of these types. */
export async function rejectsWith(work: Promise<unknown>, ...types: ErrorType[]): Promise<void> {
  await assert.rejects(work, err => {
    assert.ok(err instanceof CatalogueError, `an error of the catalogue, not ${String(err)}`);
    assert.ok(types.includes(err.type), `${types.join(' or ')}, not ${err.type}: ${err.message}`);
    return true;
  });
}

/** Asserts that the backend comes to hold as many things as before: it may still be tidying up. */
export async function leavesNothing(
  t: TestContext,
  { residue }: StoreUnderTest,
  work: () => Promise<void>,
): Promise<void> {
  if (residue === undefined) {
    t.diagnostic('what is left behind is not checked: this store names no residue()');
    await work();
    return;
  }
  const before = await residue();
  await work();
  const deadline = Date.now() + SETTLE_MS;
  let now = await residue();
  // What the work began may still come and go: the same several times in a row counts.
  for (let same = 0; same < SETTLED_READS && Date.now() < deadline; same = now === before ? same + 1 : 0) {
    await sleep(20);
    now = await residue();
  }
  assert.equal(now, before, 'the backend holds as much as before');
}
