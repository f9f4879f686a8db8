/** Stores to copy, and the command that copies them. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { UUID_KEY, writeUuidFile } from '../../deployment/uuid.js';
import { JsonDown } from '../../leveldowns/jsondown/json-down.js';
import { closeLevel, openLevel, readEntries, writeBatch } from '../../leveldowns/level-calls.js';
import { leveldown } from '../../leveldowns/leveldown-binding.js';
import type { LevelDown } from '../../leveldowns/plugin.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

export const UUID = '0b1e4a52-8f5c-4c8e-9d0a-3f6f5d1f2a77';

/** A folder as the metadata module has one, within a test's own. */
export async function newFolder(t: Pick<TestContext, 'after'>, name: string): Promise<string> {
  const folder = path.join(await temporaryFolder(t), name);
  await mkdir(folder);
  return folder;
}

export const levelAt = (folder: string): LevelDown => leveldown(path.join(folder, 'rootDB'));
export const jsonAt = (folder: string): LevelDown => new JsonDown(path.join(folder, 'jsondown'));

/** A leveldown with `count` entries of `valueBytes`, and two whose keys are no text, and its deployment's id. */
export async function filledFolder(
  t: Pick<TestContext, 'after'>,
  count: number,
  valueBytes = 50,
): Promise<string> {
  const folder = await newFolder(t, 'source');
  const level = levelAt(folder);
  await openLevel(level);
  const entries = Array.from({ length: count }, (_, index) => ({
    key: Buffer.from(`!bucket${index % 7}!${index}é😀`),
    value: Buffer.alloc(valueBytes, `${index} `),
  }));
  entries.push({ key: Buffer.from([0xff, 0x00]), value: Buffer.from([0x00, 0xff]) });
  entries.push({ key: Buffer.from([0x00]), value: Buffer.alloc(0) });
  for (let from = 0; from < entries.length; from += 1000) {
    const batch = entries.slice(from, from + 1000).map(entry => ({ type: 'put' as const, ...entry }));
    await writeBatch(level, batch, false);
  }
  await closeLevel(level);
  await writeUuidFile(folder, UUID);
  return folder;
}

/** Every entry of a store that is not open, in hexadecimal. */
export async function contentsOf(level: LevelDown): Promise<[string, string][]> {
  await openLevel(level, { createIfMissing: false });
  try {
    const found: [string, string][] = [];
    for await (const { key, value } of readEntries(level))
      found.push([key.toString('hex'), value.toString('hex')]);
    return found;
  } finally {
    await closeLevel(level);
  }
}

/** Compares two stores that are not open, the deployment's id left out. */
export async function assertCopied(source: LevelDown, target: LevelDown): Promise<void> {
  const idKey = Buffer.from(UUID_KEY).toString('hex');
  const [expected, found] = [await contentsOf(source), await contentsOf(target)];
  assert.deepEqual(
    found.filter(([key]) => key !== idKey),
    expected.filter(([key]) => key !== idKey),
  );
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `metadata:copy`; the process is killed when the test ends. */
export function startCopy(
  t: Pick<TestContext, 'after'>,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { readonly child: ChildProcess; readonly finished: Promise<Finished> } {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const finished = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return { child, finished };
}

export function runCopy(
  t: Pick<TestContext, 'after'>,
  from: string,
  to: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  return startCopy(t, ['--from', from, '--to', to], env).finished;
}
