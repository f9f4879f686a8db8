/** Stores whose files have flipped bits: a start says what is wrong, or what is read is what was written. */
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Random } from '@zenko-modules/common/testing/random';
import { type Spawned, spawnDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { flipBits, pick } from './choose.js';
import { Finding, type FuzzOptions, type FuzzRun, Owner } from './target.js';
import { entryOf } from './watched-daemon.js';

/** A start takes longer than an answer, and much longer on a machine that is busy. */
export const START_FACTOR = 24;
export const STACK_TRACE = /\n\s+at .*[/\\(].*:\d+/;

export interface DamageSubject {
  readonly entry: string;
  readonly args?: (folder: string) => readonly string[];
  readonly env: (folder: string) => Readonly<Record<string, string>>;
  /** Files, relative to the folder, in which bits are flipped. */
  readonly isDamaged: (file: string) => boolean;
  /**
   * Reads all that is stored.
   * @throws Finding for what is neither as it was nor said to be damaged; any other error says that the daemon is gone
   */
  readonly verify: (ports: Readonly<Record<string, number>>, output: () => string) => Promise<void>;
}

/** @param template a folder with a store in it, that nobody has open */
export async function damagedFiles(
  owner: Owner,
  template: string,
  subject: DamageSubject,
  { hangMs, note }: FuzzOptions,
): Promise<FuzzRun> {
  const files = (await readdir(template, { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile())
    .map(entry => path.relative(template, path.join(entry.parentPath, entry.name)))
    .filter(subject.isDamaged);
  const outcomes = { refused: 0, opened: 0 };
  const work = await temporaryFolder(owner);
  owner.after(() =>
    note(`${files.length} files; ${outcomes.refused} starts refused, ${outcomes.opened} opened`),
  );
  return {
    tryOne: async random => {
      const folder = path.join(work, 'store');
      await rm(folder, { recursive: true, force: true });
      await cp(template, folder, { recursive: true });
      const what = await damage(random, folder, files);
      const own = new Owner();
      try {
        outcomes[await openAndVerify(own, folder, subject, what, hangMs)] += 1;
      } finally {
        await own.close();
      }
    },
  };
}

/** Flips bits in one or two files; answers with which. */
async function damage(random: Random, folder: string, files: readonly string[]): Promise<string> {
  const done: string[] = [];
  for (let left = random.integer(1, 2); left > 0; left -= 1) {
    const name = pick(random, files);
    const bits = random.integer(1, pick(random, [1, 8]));
    const file = path.join(folder, name);
    await writeFile(file, flipBits(random, await readFile(file), bits));
    done.push(`${bits} in ${name}`);
  }
  return `bits flipped: ${done.join(', ')}`;
}

async function openAndVerify(
  owner: Owner,
  folder: string,
  { entry, args, env, verify }: DamageSubject,
  what: string,
  hangMs: number,
): Promise<'refused' | 'opened'> {
  const daemon = spawnDaemon(owner, { entry: entryOf(entry), args: args?.(folder) ?? [], env: env(folder) });
  const begun = await begin(daemon, hangMs);
  const detail = (): string => `${what}\n${daemon.output()}`;
  if (begun === 'hangs') throw new Finding(`${entry} neither starts nor ends`, detail());
  if (begun !== 'ended') {
    try {
      await verify(begun, daemon.output);
      return 'opened';
    } catch (err) {
      if (err instanceof Finding) throw new Finding(err.message, detail());
      // It may find the damage while it serves, and end with the reason.
      if (daemon.child.exitCode === null && daemon.child.signalCode === null) {
        throw new Finding(`${entry} answers with ${String(err)}`, detail());
      }
    }
  }
  const { code, signal } = await daemon.exited;
  if (code !== 1) throw new Finding(`${entry} ended with ${code ?? signal}`, detail());
  if (STACK_TRACE.test(daemon.output())) throw new Finding(`${entry} ended with a stack trace`, detail());
  return 'refused';
}

/** Its ports once it listens. */
async function begin(
  { child, exited }: Spawned,
  hangMs: number,
): Promise<Readonly<Record<string, number>> | 'ended' | 'hangs'> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      new Promise<Readonly<Record<string, number>>>(resolve =>
        child.once('message', message => resolve((message as { ports: Record<string, number> }).ports)),
      ),
      exited.then(() => 'ended' as const),
      new Promise<'hangs'>(resolve => {
        timer = setTimeout(() => resolve('hangs'), START_FACTOR * hangMs);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
