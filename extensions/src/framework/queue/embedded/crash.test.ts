/** Publishers and a consumer of one topic that are killed again and again: what was acknowledged comes, in its order. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test, { type TestContext } from 'node:test';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { silentLogger } from '@zenko-modules/common/logger';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../../testing/eventually.js';
import { CRASH_GROUP, CRASH_TOPIC } from '../../../testing/queue-process.js';
import { EmbeddedQueue } from './embedded-queue.js';

const PROCESS = fileURLToPath(new URL('../../../testing/queue-process.js', import.meta.url));
const KEYS = ['a', 'b'] as const;
const ROUNDS = 6;

interface Worker {
  readonly lines: string[];
  /** Kills the process; resolves when all that it printed is in `lines`. */
  readonly kill: () => Promise<void>;
}

function start(t: TestContext, ...args: readonly string[]): Worker {
  const child = spawn(process.execPath, [PROCESS, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', line => lines.push(line));
  const closed = once(child, 'close');
  return {
    lines,
    kill: async () => {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

test('killed again and again, publishers lose nothing that was acknowledged, and a consumer passes over nothing', async t => {
  const random = seededRandom(t);
  const folder = path.join(await temporaryFolder(t), 'queue');
  await mkdir(folder);
  const acknowledged = { a: [] as number[], b: [] as number[] };
  const delivered = { a: [] as number[], b: [] as number[] };
  const deliver = (key: string, value: string): void => {
    delivered[key as 'a' | 'b'].push(Number(value));
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    // Numbers go on far behind those that may have been sent without an answer.
    const publishers = KEYS.map(key => start(t, folder, 'publish', key, String(round * 1_000_000)));
    const consumer = start(t, folder, 'consume');
    await eventually(() => publishers.every(({ lines }) => lines.length > 0), 'both have published');
    await sleep(random.integer(0, 400));
    await Promise.all([...publishers, consumer].map(({ kill }) => kill()));
    KEYS.forEach((key, index) => acknowledged[key].push(...(publishers[index]?.lines ?? []).map(Number)));
    for (const line of consumer.lines) deliver(...(line.split(' ') as [string, string]));
  }
  const queue = new EmbeddedQueue({ folder, segmentBytes: 2000, log: silentLogger() });
  t.after(() => queue.close());
  await queue.consume({
    topic: CRASH_TOPIC,
    group: CRASH_GROUP,
    concurrency: 4,
    handle: message => {
      deliver(message.key, message.value);
      return Promise.resolve();
    },
  });
  const finished = async (): Promise<boolean> =>
    (await queue.progress(CRASH_TOPIC, CRASH_GROUP)).every(({ finished }) => finished);
  await eventually(finished, 'all is done');
  for (const key of KEYS) {
    const came = new Set(delivered[key]);
    const missing = acknowledged[key].filter(number => !came.has(number));
    assert.deepEqual(missing, [], `${key}: acknowledged and never delivered`);
    // What comes again after a kill comes in its order, too: the first time of each is in order.
    const firsts = [...came];
    assert.deepEqual(
      firsts,
      [...firsts].sort((a, b) => a - b),
    );
  }
  t.diagnostic(`${acknowledged.a.length + acknowledged.b.length} messages in ${ROUNDS} rounds`);
});
