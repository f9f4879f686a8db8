/** `redrive` as a command. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { silentLogger } from '@zenko-modules/common/logger';
import { runToExit } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { EmbeddedQueue } from '../framework/queue/embedded/embedded-queue.js';

const REDRIVE_MAIN = fileURLToPath(new URL('redrive-main.js', import.meta.url));

test('messages parked of the topic that the section names, or of one that a consumer of its own reads, go back into it', async t => {
  const data = await temporaryFolder(t);
  const folder = path.join(data, 'extensions', 'queue');
  await mkdir(folder, { recursive: true });
  const queue = new EmbeddedQueue({ folder, segmentBytes: 1024 ** 2, log: silentLogger() });
  t.after(() => queue.close());
  for (const topic of ['of-section', 'own']) {
    await queue.publish(`${topic}-failed`, [
      { key: 'k', value: topic, headers: { 'error-kind': 'permanent', kept: 'yes' } },
    ]);
  }
  const env = { DATA_DIR: data, EXTENSIONS_HELLOWORLD_TOPIC: 'of-section' };
  const redrive = (...args: string[]): Promise<{ code: number | null; output: string }> =>
    runToExit(t, { entry: REDRIVE_MAIN, args: ['helloWorld', ...args], env });
  const back = async (topic: string): Promise<readonly [string, unknown][]> => {
    const found: [string, unknown][] = [];
    if ((await queue.backlog(topic, 'test')) === 0) return found;
    const all = new Promise<void>(resolve => {
      void queue.consume({
        topic,
        group: 'test',
        concurrency: 1,
        handle: ({ value, headers }) => {
          found.push([value, headers]);
          resolve();
          return Promise.resolve();
        },
      });
    });
    await all;
    return found;
  };
  const first = await redrive();
  assert.match(first.output, /^1 message of of-section-failed put back into of-section$/m);
  assert.deepEqual(await back('own'), []);
  assert.deepEqual(await back('of-section'), [['of-section', { kept: 'yes', redriven: '1' }]]);
  const second = await redrive('own');
  assert.match(second.output, /^1 message of own-failed put back into own$/m);
  assert.deepEqual(await back('own'), [['own', { kept: 'yes', redriven: '1' }]]);
  const wrong = await redrive('no topic');
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.output, /is no topic or group name/);
});
