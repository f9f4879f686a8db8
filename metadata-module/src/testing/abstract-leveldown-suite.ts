/**
 * abstract-leveldown's own test suite, run by node:test: each of its tape tests becomes a subtest that
 * fails when one of its assertions does.
 */
import { AssertionError } from 'node:assert';
import type { TestContext } from 'node:test';
import { withDeadline } from '@zenko-modules/common/deadline';
import type { AbstractLevelDOWN } from 'abstract-leveldown';
import suite from 'abstract-leveldown/test/index.js';
import tape, { type TestCase } from 'tape';

/** How long one test of the suite may take. */
const TEST_DEADLINE_MS = 60_000;

export interface AbstractLevelDownSuiteOptions {
  /** A new store, not opened, in an empty place of its own. */
  readonly factory: () => AbstractLevelDOWN;
  /** What the store does not claim to do is left out of the suite; all is on by default. */
  readonly createIfMissing?: boolean;
  readonly errorIfExists?: boolean;
  readonly snapshots?: boolean;
  readonly seek?: boolean;
  readonly clear?: boolean;
  readonly getMany?: boolean;
}

/** Runs the suite as subtests of `t`, one after the other, and closes the stores that it leaves open. */
export async function runAbstractLevelDownSuite(
  t: TestContext,
  { factory, ...features }: AbstractLevelDownSuiteOptions,
): Promise<void> {
  const tests: { name: string; run: TestCase }[] = [];
  const made: AbstractLevelDOWN[] = [];
  suite({
    clear: true,
    getMany: true,
    ...features,
    factory: () => {
      const store = factory();
      made.push(store);
      return store;
    },
    test: (name, run) => {
      tests.push({ name, run });
    },
  });
  try {
    for (const { name, run } of tests) {
      await t.test(name, () => withDeadline(runTapeTest(name, run), TEST_DEADLINE_MS, name));
    }
  } finally {
    await Promise.all(made.map(closeStore));
  }
}

/** One assertion as tape's object stream reports it; the stream has other rows too. */
interface AssertRow {
  readonly type: string;
  readonly ok?: boolean;
  readonly name?: string;
  readonly operator?: string;
  readonly expected?: unknown;
  readonly actual?: unknown;
  readonly at?: string;
}

/** Runs one tape test; rejects with the first assertion that failed. */
export function runTapeTest(name: string, run: TestCase): Promise<void> {
  return new Promise((resolve, reject) => {
    const harness = tape.createHarness();
    const failed: AssertRow[] = [];
    let asserted = 0;
    harness
      .createStream({ objectMode: true })
      .on('data', (row: unknown) => {
        const result = row as AssertRow;
        if (result.type !== 'assert') return;
        asserted += 1;
        if (result.ok !== true) failed.push(result);
      })
      .on('end', () => {
        const [first] = failed;
        if (first === undefined) resolve();
        else reject(failureOf(first, failed.length, asserted));
      });
    harness(name, run);
  });
}

function failureOf(row: AssertRow, failed: number, asserted: number): AssertionError {
  const where = row.at === undefined ? '' : ` at ${row.at}`;
  return new AssertionError({
    message: `${failed} of ${asserted} assertions failed, first: ${row.name ?? 'unnamed'}${where}`,
    actual: row.actual,
    expected: row.expected,
    operator: row.operator ?? 'fail',
  });
}

/** The suite opens some stores that it never closes, and may still be opening them. */
async function closeStore(store: AbstractLevelDOWN): Promise<void> {
  const deadline = Date.now() + TEST_DEADLINE_MS;
  while ((store.status === 'opening' || store.status === 'closing') && Date.now() < deadline) {
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  if (store.status !== 'open') return;
  await new Promise<void>((resolve, reject) => {
    store.close(err => {
      if (err) reject(err);
      else resolve();
    });
  });
}
