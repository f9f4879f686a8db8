/** A short run of each target; `npm run fuzz` is the long one. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { runTarget } from './run-target.js';
import { TARGETS } from './targets.js';

/** One seed, so that a red run is red again: that of a case which once was red, where there was one. */
const SEEDS: Readonly<Record<string, number>> = {
  's3-http': 1_035_013_382,
  'leveldown-files': 1_035_007_025,
};
const SECONDS = 1;
/** A machine that does other things at the same time is no finding. */
const HANG_MS = 120_000;

for (const target of TARGETS) {
  test(`${target.name}: ${target.about}`, async t => {
    const lines: string[] = [];
    const seed = SEEDS[target.name] ?? 1;
    const { cases, findings } = await runTarget(target, {
      seconds: SECONDS,
      cases: Infinity,
      seed,
      hangMs: HANG_MS,
      say: line => lines.push(line),
    });
    t.diagnostic(`${cases} cases from seed ${seed}`);
    assert.equal(findings, 0, lines.join('\n'));
    assert.ok(cases > 0);
  });
}
