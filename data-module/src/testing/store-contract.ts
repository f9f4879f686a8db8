/**
 * The tests that every store passes: what `data-store.ts` promises, most of it about failure.
 *
 * An author of a store calls this in a file for node's test runner:
 *
 *     testStoreContract({ name: 'my store', open: async t => ({ store: await openMyStore() }) });
 */
import test from 'node:test';
import { GET_TESTS } from './contract/get-tests.js';
import type { LayeredStoreUnderTest, StoreContract, StoreUnderTest } from './contract/harness.js';
import { LIFE_TESTS } from './contract/life-tests.js';
import { PUT_TESTS } from './contract/put-tests.js';
import { StoreLayer } from '../stores/store-layer.js';

export type { StoreContract, StoreUnderTest } from './contract/harness.js';

/** Stores are tested as the module uses them, under the layer that all of them have. */
function layered({ store, reopen, ...rest }: StoreUnderTest): LayeredStoreUnderTest {
  const again = reopen && { reopen: async () => new StoreLayer(await reopen()) };
  return { ...rest, store: new StoreLayer(store), ...again };
}

/** Registers the suite, one test per promise, each with a fresh store. */
export function testStoreContract(contract: StoreContract): void {
  for (const [promise, body] of Object.entries({ ...PUT_TESTS, ...GET_TESTS, ...LIFE_TESTS })) {
    test(`${contract.name}: ${promise}`, { skip: contract.skip ?? false, timeout: 120_000 }, async t => {
      const under = layered(await contract.open(t));
      try {
        await body(t, under, contract);
      } finally {
        await under.store.close();
      }
    });
  }
}
