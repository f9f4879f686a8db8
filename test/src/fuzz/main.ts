/** `npm run fuzz -- [--seconds 60] [--seed N] [--cases N] [--only name]…`: each target for so many seconds, one after the other. */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { messageOf } from '@zenko-modules/common/errors';
import { runTarget } from './run-target.js';
import { TARGETS } from './targets.js';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    cases: { type: 'string', default: 'Infinity' },
    only: { type: 'string', multiple: true },
    'hang-seconds': { type: 'string', default: '5' },
  },
});
const only = values.only ?? TARGETS.map(({ name }) => name);
const unknown = only.filter(name => !TARGETS.some(target => target.name === name));
if (unknown.length > 0) {
  console.error(`no target ${unknown.join(', ')}: there are`);
  for (const { name, about } of TARGETS) console.error(`  ${name.padEnd(18)} ${about}`);
  process.exit(2);
}
const seed = Number(values.seed ?? randomInt(2 ** 30));
const say = (line: string): void => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
say(`seed ${seed}, Node ${process.version}`);
let findings = 0;
for (const target of TARGETS.filter(({ name }) => only.includes(name))) {
  say(`${target.name}: ${target.about}, ${values.seconds} s`);
  try {
    const outcome = await runTarget(target, {
      seconds: Number(values.seconds),
      cases: Number(values.cases),
      seed,
      hangMs: Number(values['hang-seconds']) * 1000,
      say,
    });
    say(`${target.name}: ${outcome.cases} cases, ${outcome.findings} findings`);
    findings += outcome.findings;
  } catch (err) {
    // The others are tried all the same.
    say(`${target.name}: could not be tried: ${messageOf(err)}`);
    findings += 1;
  }
}
process.exit(findings === 0 ? 0 : 1);
