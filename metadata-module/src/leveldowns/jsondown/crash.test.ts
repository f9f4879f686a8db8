import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { readStore } from './testing/collect.js';

const WRITER = fileURLToPath(new URL('testing/crash-writer.js', import.meta.url));
const ROUNDS = 16;

/** What the store holds after the batches 1 to `last`. */
function stateAfter(last: number): Record<string, string> {
  const state: Record<string, string> = {};
  for (let batch = Math.max(0, last - 100); batch <= last; batch += 1) {
    if (batch > 0) state.count = String(batch);
    for (let index = 0; batch > 0 && index < 10; index += 1)
      state[`key-${(batch * 7 + index) % 50}`] = String(batch);
  }
  return state;
}

test('killed again and again between many batches, it holds a whole number of them, and all that were acknowledged', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  const random = seededRandom(t);
  let last = 0;
  let midSnapshot = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const writer = spawn(process.execPath, [WRITER, folder, String(last + 1)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => writer.kill('SIGKILL'));
    let output = '';
    writer.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    await once(writer.stdout, 'data');
    await sleep(random.integer(0, 150));
    writer.kill('SIGKILL');
    await once(writer, 'close');
    const names = await readdir(folder);
    if (
      names.some(name => name.endsWith('.tmp')) ||
      names.filter(name => name.startsWith('journal')).length > 1
    ) {
      midSnapshot += 1;
    }
    const acknowledged = Number(output.trimEnd().split('\n').at(-1));
    const found = await readStore(folder, { journalMinBytes: 4096 });
    const count = Number(found.count);
    assert.ok(count >= acknowledged, `batch ${acknowledged} was acknowledged, the store is at ${count}`);
    assert.ok(count <= acknowledged + 4, `the store is at ${count}, only ${acknowledged} can be under way`);
    assert.deepEqual(found, stateAfter(count));
    last = count;
  }
  t.diagnostic(`${last} batches, ${midSnapshot} of ${ROUNDS} kills while a snapshot was written`);
});
