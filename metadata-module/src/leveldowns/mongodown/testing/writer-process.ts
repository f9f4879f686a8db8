/** The writer of writer.ts as a process that a test can stop, kill and let go on. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withDeadline } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import type { MongoDownOptions } from '../mongodown.js';
import type { Place } from './databases.js';

const WRITER = fileURLToPath(new URL('writer.js', import.meta.url));
const DEADLINE_MS = 30_000;

export interface WriterProcess {
  /** All batches up to this number are acknowledged. */
  readonly acknowledged: () => number;
  /** The code of the error that ended it. */
  readonly failure: () => string | undefined;
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<unknown>;
}

/** Resolves when the first batch is acknowledged. The process is killed when the test ends. What it logs comes to `log`. */
export async function startWriter(
  t: Pick<TestContext, 'after'>,
  place: Place,
  options: Partial<MongoDownOptions>,
  atOnce = 4,
  log?: Logger,
): Promise<WriterProcess> {
  const args = [
    WRITER,
    JSON.stringify(place),
    JSON.stringify(options),
    String(atOnce),
    log?.level ?? 'silent',
  ];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (log === undefined) process.stderr.write(text);
    else log.warn(text);
  });
  const ended = once(child, 'close');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let output = '';
  const began = new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (/^\d+$/m.test(output)) resolve();
    });
    void ended.then(() => reject(new Error(`the writer ended: ${output}`)));
  });
  await withDeadline(began, DEADLINE_MS, 'the first batch of a writer');
  const lines = (pattern: RegExp): string | undefined => [...output.matchAll(pattern)].at(-1)?.[1];
  return {
    acknowledged: () => Number(lines(/^(\d+)\n/gm) ?? 0),
    failure: () => lines(/^failed (.*)\n/gm),
    signal: signal => void child.kill(signal),
    ended,
  };
}
