/** One data module for all tests of a file: starting one for each takes longer than most of them. */
import { after } from 'node:test';
import type { Environment } from '@zenko-modules/common/settings';
import { HttpStore } from './http-store.js';
import { type StartedModule, startTestModule } from './start-module.js';
import type { StoreUnderTest } from './store-contract.js';

type CleanUp = () => Promise<void>;
/** Runs what it is given after the file's last test. */
export interface FileOwner {
  readonly after: (cleanUp: CleanUp) => void;
}

/** What the module is started with, made by the first test that asks for it. */
export interface LastingPlace {
  readonly env: Environment;
  readonly residue: () => Promise<number>;
}

/**
 * Opens a store of the module that all callers share, as `StoreContract.open` does. Call it while the file is loaded.
 * A test that opens the store again restarts the module for those after it.
 */
export function lastingModule(
  place: (file: FileOwner) => Promise<LastingPlace>,
): () => Promise<StoreUnderTest> {
  const cleanUps: CleanUp[] = [];
  const file: FileOwner = { after: cleanUp => void cleanUps.push(cleanUp) };
  let made: Promise<LastingPlace> | undefined;
  let running: Promise<StartedModule> | undefined;
  // Called here, while the file is loaded, it runs after the file's last test.
  after(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
  });
  const placed = (): Promise<LastingPlace> => (made ??= place(file));
  const store = async (): Promise<HttpStore> => {
    running ??= placed().then(({ env }) => startTestModule(file, env));
    return new HttpStore((await running).port);
  };
  return async () => ({
    store: await store(),
    residue: (await placed()).residue,
    reopen: async () => {
      await (await running)?.close();
      running = undefined;
      return store();
    },
  });
}
