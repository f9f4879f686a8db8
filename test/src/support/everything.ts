/** All that `npm start` runs, as one child process on ports that the system chose. */
import { execFile } from 'node:child_process';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { sleep } from '@zenko-modules/common/deadline';
import { type ExitStatus, startDaemon } from '@zenko-modules/common/testing/daemon-process';

export interface Everything {
  readonly ports: Readonly<Record<string, number>>;
  readonly output: () => string;
  readonly stop: () => Promise<ExitStatus>;
  /** Process ids of the parts, in the order in which they were started. */
  readonly partPids: () => Promise<number[]>;
  readonly waitForOutput: (pattern: RegExp) => Promise<void>;
}

const OUTPUT_DEADLINE_MS = 120_000;

/** Settings under which nothing that runs on this machine is in the way. */
export const FREE_PORTS = Object.fromEntries(
  ['DATA', 'METADATA', 'S3', 'POPULATOR', 'PROCESSOR'].flatMap(part => [
    [`${part}_PROBE_PORT`, '0'],
    ...(part === 'POPULATOR' || part === 'PROCESSOR' ? [] : [[`${part}_PORT`, '0']]),
  ]),
) as Readonly<Record<string, string>>;

export const START_ENTRY = fileURLToPath(
  new URL('../../../zenko-modules/dist/start-main.js', import.meta.url),
);

export async function startAll(
  t: Pick<TestContext, 'after'>,
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Everything> {
  const launcher = await startDaemon(t, {
    entry: START_ENTRY,
    env: { ...FREE_PORTS, DATA_DIR: dataDir, ...env },
  });
  return {
    ports: launcher.ports,
    output: launcher.output,
    stop: () => launcher.kill('SIGINT'),
    partPids: () => childrenOf(launcher.pid),
    waitForOutput: async pattern => {
      const end = Date.now() + OUTPUT_DEADLINE_MS;
      while (!pattern.test(launcher.output())) {
        if (Date.now() > end)
          throw new Error(`nothing like ${pattern.source} was printed:\n${launcher.output()}`);
        await sleep(50);
      }
    },
  };
}

async function childrenOf(pid: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', [
    '-o',
    'pid=',
    '--ppid',
    String(pid),
    '--sort',
    'start_time',
  ]);
  return stdout
    .split('\n')
    .map(Number)
    .filter(child => child > 0);
}
