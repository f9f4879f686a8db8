/** The suite that abstract-leveldown ships; its types leave it out. */
declare module 'abstract-leveldown/test/index.js' {
  import type { AbstractLevelDOWN } from 'abstract-leveldown';
  import type { TestCase } from 'tape';

  interface SuiteOptions {
    readonly test: (name: string, run: TestCase) => void;
    readonly factory: () => AbstractLevelDOWN;
    readonly bufferKeys?: boolean;
    readonly createIfMissing?: boolean;
    readonly errorIfExists?: boolean;
    readonly snapshots?: boolean;
    readonly seek?: boolean;
    readonly clear?: boolean;
    readonly getMany?: boolean;
  }

  /** Registers every test of the suite by `options.test`, in the order in which they must run. */
  export default function suite(options: SuiteOptions): void;
}

/** A LevelDOWN in memory, for tests. */
declare module 'memdown' {
  import type { AbstractLevelDOWN } from 'abstract-leveldown';

  const MemDown: new () => AbstractLevelDOWN;
  export default MemDown;
}
