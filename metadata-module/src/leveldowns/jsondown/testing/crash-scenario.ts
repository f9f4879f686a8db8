/** A store that is killed again and again while it writes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { closeLevel, openLevel, readEntries } from '../../level-calls.js';
import type { WriterModule, WriterSpec } from './crash-writer.js';

const WRITER = fileURLToPath(new URL('crash-writer.js', import.meta.url));

export interface CrashScenario extends Omit<WriterSpec, 'first'> {
  readonly rounds: number;
  /** Called when the writer has been killed, before the store is opened again. */
  readonly afterKill?: () => Promise<void>;
}

/**
 * Kills a writer at a random moment, opens the store and checks that it holds a whole number of batches, and
 * all that were acknowledged; then the next writer goes on. Resolves with the number of batches in the end.
 */
export async function killAgainAndAgain(
  t: TestContext,
  { module, options, rounds, afterKill }: CrashScenario,
): Promise<number> {
  const random = seededRandom(t);
  let last = 0;
  for (let round = 0; round < rounds; round += 1) {
    const spec: WriterSpec = { module, options, first: last + 1 };
    const writer = spawn(process.execPath, [WRITER, JSON.stringify(spec)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => writer.kill('SIGKILL'));
    const closed = once(writer, 'close');
    let output = '';
    writer.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    await Promise.race([once(writer.stdout, 'data'), closed]);
    await sleep(random.integer(0, 150));
    writer.kill('SIGKILL');
    await closed;
    assert.equal(writer.signalCode, 'SIGKILL', 'the writer ended by itself');
    await afterKill?.();
    const acknowledged = Number(output.trimEnd().split('\n').at(-1));
    const found = await contents(module, options);
    const count = Number(found.count);
    assert.ok(count >= acknowledged, `batch ${acknowledged} was acknowledged, the store is at ${count}`);
    assert.ok(count <= acknowledged + 4, `the store is at ${count}, at most ${acknowledged + 4} was begun`);
    assert.deepEqual(found, stateAfter(count));
    last = count;
  }
  return last;
}

async function contents(module: string, options: unknown): Promise<Record<string, string>> {
  const store = ((await import(module)) as WriterModule).open(options);
  await openLevel(store, { createIfMissing: false });
  const found: Record<string, string> = {};
  for await (const { key, value } of readEntries(store)) found[key.toString()] = value.toString();
  await closeLevel(store);
  return found;
}

/** What the store holds after the batches 1 to `last`. */
function stateAfter(last: number): Record<string, string> {
  const state: Record<string, string> = { count: String(last) };
  for (let batch = Math.max(1, last - 100); batch <= last; batch += 1) {
    for (let index = 0; index < 10; index += 1) state[`key-${(batch * 7 + index) % 50}`] = String(batch);
  }
  return state;
}
