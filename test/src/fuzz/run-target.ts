/** One target for a while. */
import { DeadlineError } from '@zenko-modules/common/deadline';
import { randomOf } from '@zenko-modules/common/testing/random';
import { Finding, type FuzzRun, Owner, type Target } from './target.js';

/** After so many findings a target has shown enough. */
const MOST_FINDINGS = 5;
const MOST_STARTS = 5;

export interface RunOptions {
  readonly seconds: number;
  /** At most so many cases. */
  readonly cases: number;
  readonly seed: number;
  readonly hangMs: number;
  readonly say: (line: string) => void;
}

export interface Outcome {
  readonly cases: number;
  readonly findings: number;
}

/** Case number n has the seed `seed + n`: with `--cases 1` it can be had again alone. */
export async function runTarget(target: Target, options: RunOptions): Promise<Outcome> {
  const { seconds, seed, hangMs, say } = options;
  const note = (text: string): void => say(`${target.name}: ${text}`);
  let cases = 0;
  let findings = 0;
  let owner = new Owner();
  /** A start that takes too long says that the machine is busy. */
  const open = async (): Promise<FuzzRun> => {
    for (let left = MOST_STARTS; ; left -= 1) {
      try {
        return await target.open(owner, { hangMs, note });
      } catch (err) {
        if (!(err instanceof DeadlineError) || left === 1) throw err;
        note(`once more: ${err.message}`);
        await owner.close();
        owner = new Owner();
      }
    }
  };
  try {
    let run = await open();
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end && cases < options.cases && findings < MOST_FINDINGS) {
      const caseSeed = seed + cases;
      cases += 1;
      try {
        await run.tryOne(randomOf(Math.imul(caseSeed, 0x9e3779b1)));
      } catch (err) {
        findings += 1;
        note(`FOUND ${err instanceof Error ? err.message : String(err)}`);
        note(`  again: npm run fuzz -- --only ${target.name} --seed ${caseSeed} --cases 1`);
        note(`  or, with what led to it: --seed ${seed} --cases ${cases}`);
        note(
          `  ${err instanceof Finding ? err.detail : String((err as Error).stack)}`.replaceAll(
            '\n',
            '\n    ',
          ),
        );
        await owner.close();
        owner = new Owner();
        run = await open();
      }
    }
  } finally {
    await owner.close();
  }
  return { cases, findings };
}
