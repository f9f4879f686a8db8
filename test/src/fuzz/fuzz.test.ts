/** A short run of each target; `npm run fuzz` is the long one. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { runTarget } from './run-target.js';
import { TARGETS } from './targets.js';

/** One seed, so that a red run is red again. */
const SEED = 1;
const SECONDS = 1;
/** A machine that does other things at the same time is no finding. */
const HANG_MS = 120_000;

for (const target of TARGETS) {
  test(`${target.name}: ${target.about}`, async t => {
    const lines: string[] = [];
    const { cases, findings } = await runTarget(target, {
      seconds: SECONDS,
      cases: Infinity,
      seed: SEED,
      hangMs: HANG_MS,
      say: line => lines.push(line),
    });
    t.diagnostic(`${cases} cases from seed ${SEED}`);
    assert.equal(findings, 0, lines.join('\n'));
    assert.ok(cases > 0);
  });
}
