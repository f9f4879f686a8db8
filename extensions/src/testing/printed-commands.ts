/**
 * Runs the commands of a page as they are printed, by a shell, in a folder that looks like the project's; but
 * one offset is added to all ports, so that nothing that runs on this machine is in the way.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, symlink } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from './eventually.js';

export const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
/** Ports by setting, as they are when nobody sets them. */
const DEFAULT_PORTS = {
  S3_PORT: 8000,
  METADATA_PORT: 9990,
  DATA_PORT: 9991,
  DATA_PROBE_PORT: 4042,
  METADATA_PROBE_PORT: 4043,
  POPULATOR_PROBE_PORT: 4044,
  PROCESSOR_PROBE_PORT: 4047,
  S3_PROBE_PORT: 4046,
} as const;
/** Those beside them that stand on pages. */
const PRINTED_PORTS = [4048, 4049, 4050, 9443];
const PORTS = [...Object.values(DEFAULT_PORTS), ...PRINTED_PORTS];
/** What belongs to a person's own use of the project, not to the project. */
const NOT_PART_OF_IT = ['data', 'my-extensions', '.git'];

export interface Running {
  readonly output: () => string;
  readonly printed: (pattern: RegExp) => Promise<void>;
  /** Ctrl-C; resolves when it has ended. */
  readonly interrupt: () => Promise<void>;
}

export interface Page {
  /** The folder in which the commands are run. */
  readonly folder: string;
  readonly portOf: (setting: keyof typeof DEFAULT_PORTS) => number;
  /** Runs a command to its end. Rejects with its output when it fails. */
  readonly run: (command: string) => Promise<string>;
  /** Starts a command that goes on until it is interrupted. */
  readonly start: (command: string) => Running;
}

export async function openPage(t: TestContext): Promise<Page> {
  const folder = await temporaryFolder(t);
  for (const name of await readdir(PROJECT)) {
    if (!NOT_PART_OF_IT.includes(name)) await symlink(path.join(PROJECT, name), path.join(folder, name));
  }
  const offset = await freeOffset();
  const portOf = (setting: keyof typeof DEFAULT_PORTS): number => DEFAULT_PORTS[setting] + offset;
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    // What was built is not built again.
    npm_config_ignore_scripts: 'true',
    npm_config_update_notifier: 'false',
    ...Object.fromEntries(Object.entries(DEFAULT_PORTS).map(([name, port]) => [name, String(port + offset)])),
  };
  const shell = (command: string) => {
    const shifted = command.replace(/\b\d{4}\b/g, text =>
      PORTS.includes(Number(text)) ? String(Number(text) + offset) : text,
    );
    const child = spawn('bash', ['-c', shifted], { cwd: folder, env, detached: true });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    const ended = new Promise<number | null>(resolve => child.once('close', resolve));
    t.after(async () => {
      signal(child, 'SIGKILL');
      await ended;
    });
    return { child, output: () => output, ended };
  };
  return {
    folder,
    portOf,
    run: async command => {
      const { output, ended } = shell(command);
      const code = await ended;
      assert.equal(code, 0, `${command}\n${output()}`);
      return output();
    },
    start: command => {
      const { child, output, ended } = shell(command);
      return {
        output,
        printed: pattern =>
          eventually(
            () => {
              assert.equal(child.exitCode, null, output());
              return pattern.test(output());
            },
            `${command} prints ${String(pattern)}`,
          ),
        interrupt: async () => {
          signal(child, 'SIGINT');
          await ended;
        },
      };
    },
  };
}

/** To the command and all that it started, as a terminal does it. */
function signal(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, name);
}

/** Below the ports that the system gives away, so that nobody takes one of them meanwhile by chance. */
async function freeOffset(): Promise<number> {
  for (;;) {
    const offset = 1000 + Math.floor(Math.random() * 18_000);
    const free = await Promise.all(PORTS.map(port => isFree(port + offset)));
    if (free.every(Boolean)) return offset;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
