/** `npm run fuzz`: each target for so many seconds, one after the other. */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { messageOf } from '@zenko-modules/common/errors';
import { runTarget } from './run-target.js';
import { TARGETS } from './targets.js';

const USAGE =
  'usage: npm run fuzz -- [--seconds 60] [--seed N] [--cases N] [--hang-seconds 5] [--only TARGET]...';

function refuse(reason: string): never {
  console.error(reason);
  for (const { name, about } of TARGETS) console.error(`  ${name.padEnd(18)} ${about}`);
  console.error(USAGE);
  process.exit(2);
}

function commandLine() {
  try {
    return parseArgs({
      options: {
        seconds: { type: 'string', default: '60' },
        seed: { type: 'string', default: String(randomInt(2 ** 30)) },
        cases: { type: 'string', default: 'Infinity' },
        only: { type: 'string', multiple: true },
        'hang-seconds': { type: 'string', default: '5' },
      },
    }).values;
  } catch (err) {
    return refuse(messageOf(err));
  }
}

const values = commandLine();
const numberIn = (name: 'seconds' | 'seed' | 'cases' | 'hang-seconds'): number => {
  const number = Number(values[name]);
  return number >= 0 ? number : refuse(`--${name}: expected a number from 0, got ${values[name]}`);
};
const only = values.only ?? TARGETS.map(({ name }) => name);
const unknown = only.filter(name => !TARGETS.some(target => target.name === name));
if (unknown.length > 0) refuse(`no target ${unknown.join(', ')}: there are`);
const seed = numberIn('seed');
const limits = {
  seconds: numberIn('seconds'),
  cases: numberIn('cases'),
  seed,
  hangMs: numberIn('hang-seconds') * 1000,
};
const say = (line: string): void => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
say(`seed ${seed}, Node ${process.version}`);
let findings = 0;
for (const target of TARGETS.filter(({ name }) => only.includes(name))) {
  say(`${target.name}: ${target.about}, ${values.seconds} s`);
  try {
    const outcome = await runTarget(target, { ...limits, say });
    say(`${target.name}: ${outcome.cases} cases, ${outcome.findings} findings`);
    findings += outcome.findings;
  } catch (err) {
    // The others are tried all the same.
    say(`${target.name}: could not be tried: ${messageOf(err)}`);
    findings += 1;
  }
}
process.exit(findings === 0 ? 0 : 1);
