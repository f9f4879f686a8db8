/**
 * Two checkouts measured beside each other: `node bench/dist/versus-<what>.js THIS OTHER [--turns N] [--only ROW]`.
 *
 * Each row is run on both, one after the other, in every turn, and who begins changes from turn to turn: what
 * else the machine does then counts for both. A ratio is of one turn; its median and its spread are shown.
 * Processor time of the daemons, with their child processes, stands beside the rate: it hardly depends on what
 * else the machine does.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type DaemonProcess, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { Teardown } from '../measure.js';

const DEFAULT_TURNS = 5;
const TICKS_PER_SECOND = 100;
/** In place of a figure of what one of the two cannot do. */
const NOT_AVAILABLE = 'n/a';

export interface VersusArguments {
  /** Absolute paths of the two checkouts, which are built. */
  readonly checkouts: readonly [string, string];
  readonly turns: number;
  /** Only rows whose name holds this text. */
  readonly only: string;
}

/** Reads the command line; ends the process with a usage line when it is wrong. */
export function versusArguments(): VersusArguments {
  const usage = (reason: string): never => {
    console.error(`${reason}\nusage: node ${process.argv[1] ?? ''} THIS OTHER [--turns N] [--only ROW]`);
    process.exit(2);
  };
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      turns: { type: 'string', default: String(DEFAULT_TURNS) },
      only: { type: 'string', default: '' },
    },
  });
  const [one, other] = positionals.map(folder => path.resolve(folder));
  const turns = Number(values.turns);
  if (one === undefined || other === undefined || positionals.length > 2)
    return usage('two checkouts, please');
  if (!Number.isInteger(turns) || turns < 1) return usage('--turns: expected a whole number from 1');
  for (const folder of [one, other]) {
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return usage(`${folder} is no folder`);
  }
  return { checkouts: [one, other], turns, only: values.only };
}

/** One of the two that are compared: a daemon, and what the rows need to talk to it. */
export interface Side {
  readonly pid: number;
  /** Processes whose processor time counts as well. */
  readonly others?: readonly number[];
}

export interface Row<S extends Side> {
  readonly name: string;
  /** Whether a side can do this at all; where it cannot, `n/a` is shown for it. Default: it can. */
  readonly can?: (side: S) => boolean;
  /** Does the work on one side; resolves with how many operations that were. */
  readonly run: (side: S) => Promise<number>;
  /** Tidies up; what it takes is not measured. */
  readonly after?: (side: S) => Promise<void>;
}

/**
 * Starts a daemon of a checkout as its npm script does, on ports of the system's choice where `env` sets them to 0.
 * @param entry compiled entry point, relative to the checkout.
 * @param env is given the path of a new empty folder, which is removed at the end.
 */
export async function startOf(
  teardown: Teardown,
  checkout: string,
  entry: string,
  env: (folder: string) => Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<DaemonProcess> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'zenko-versus-'));
  teardown.after(() => rm(folder, { recursive: true, maxRetries: 5 }));
  const nodeOptions = nodeOptionsOf(checkout, entry);
  return startDaemon(teardown, { entry: path.join(checkout, entry), args, nodeOptions, env: env(folder) });
}

/** Those with which an npm script of the checkout starts Node.js for this entry point. */
function nodeOptionsOf(checkout: string, entry: string): string[] {
  const file = readFileSync(path.join(checkout, 'package.json'), 'utf8');
  const { scripts } = JSON.parse(file) as { readonly scripts: Readonly<Record<string, string>> };
  const start = Object.values(scripts).find(script => script.endsWith(` ${entry}`)) ?? '';
  const [, options = ''] = /\bnode ((?:--\S+ )*)\S+$/.exec(start) ?? [];
  return options.split(' ').filter(option => option !== '');
}

interface Sample {
  readonly perSecond: number;
  /** Microseconds of processor time per operation. */
  readonly cpuMicros: number;
}

/**
 * Starts what the command line names, runs the rows on both sides, and prints a line for each when all is done.
 * @param start `isOther` is true for the checkout that is compared with
 */
export async function compare<S extends Side>(
  start: (teardown: Teardown, checkout: string, isOther: boolean) => Promise<S>,
  rows: readonly Row<S>[],
): Promise<void> {
  const args = versusArguments();
  const [one, other] = args.checkouts;
  const teardown = new Teardown();
  try {
    const sides = [await start(teardown, one, false), await start(teardown, other, true)] as const;
    await runTurns(sides, rows, args);
  } finally {
    await teardown.run();
  }
}

async function runTurns<S extends Side>(
  sides: readonly [S, S],
  allRows: readonly Row<S>[],
  { turns, only }: Pick<VersusArguments, 'turns' | 'only'>,
): Promise<void> {
  const rows = allRows.filter(({ name }) => name.includes(only));
  const samples = rows.map(() => [[], []] as [Sample[], Sample[]]);
  for (let turn = 0; turn < turns; turn += 1) {
    for (const [index, row] of rows.entries()) {
      for (const which of turn % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        if (row.can?.(sides[which]) === false) continue;
        samples[index]?.[which].push(await sample(row, sides[which]));
        await row.after?.(sides[which]);
      }
    }
    process.stderr.write(`turn ${turn + 1} of ${turns}\n`);
  }
  console.log(
    line('', 'this/s', 'other/s', 'ratio (min-max)', 'this cpu µs', 'other cpu µs', 'cpu ratio (min-max)'),
  );
  for (const [index, { name }] of rows.entries()) {
    const [ours = [], theirs = []] = samples[index] ?? [];
    console.log(
      line(
        name,
        shown(median(ours.map(({ perSecond }) => perSecond))),
        shown(median(theirs.map(({ perSecond }) => perSecond))),
        spread(ours.map(({ perSecond }, turn) => perSecond / (theirs[turn]?.perSecond ?? NaN))),
        shown(median(ours.map(({ cpuMicros }) => cpuMicros))),
        shown(median(theirs.map(({ cpuMicros }) => cpuMicros))),
        // The other way round, so that more than 1 is better here too.
        spread(ours.map(({ cpuMicros }, turn) => (theirs[turn]?.cpuMicros ?? NaN) / cpuMicros)),
      ),
    );
  }
}

async function sample<S extends Side>(row: Row<S>, side: S): Promise<Sample> {
  const cpuSecondsOfAll = (): number =>
    [side.pid, ...(side.others ?? [])].reduce((sum, pid) => sum + cpuSecondsOfTree(pid), 0);
  const cpuBefore = cpuSecondsOfAll();
  const started = performance.now();
  const operations = await row.run(side);
  const seconds = (performance.now() - started) / 1000;
  const cpuSeconds = cpuSecondsOfAll() - cpuBefore;
  return { perSecond: operations / seconds, cpuMicros: (cpuSeconds * 1e6) / operations };
}

/** Runs `work`, `inFlight` at a time, for `seconds`; resolves with how often. */
export async function forSeconds(
  seconds: number,
  inFlight: number,
  work: (n: number) => Promise<unknown>,
): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let n = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < end) await work(n++);
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return n;
}

/** Processor time that a process and those below it have used, in seconds (Linux). */
function cpuSecondsOfTree(pid: number): number {
  const [utime = 0, stime = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
    .slice(11, 13)
    .map(Number);
  const children = readdirSync(`/proc/${pid}/task`)
    .flatMap(task => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' '))
    .filter(child => child !== '');
  return children.reduce(
    (sum, child) => sum + cpuSecondsOfTree(Number(child)),
    (utime + stime) / TICKS_PER_SECOND,
  );
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = NaN, high = NaN] =
    sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : sorted.slice(middle - 1);
  return (low + high) / 2;
}

function spread(ratios: readonly number[]): string {
  if (!ratios.every(Number.isFinite) || ratios.length === 0) return NOT_AVAILABLE;
  return `${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)})`;
}

function shown(value: number): string {
  if (Number.isNaN(value)) return NOT_AVAILABLE;
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}

function line(name: string, ...cells: readonly string[]): string {
  const widths = [9, 9, 18, 11, 12, 19];
  return [name.padEnd(30), ...cells.map((cell, index) => cell.padStart(widths[index] ?? 0))].join(' | ');
}
