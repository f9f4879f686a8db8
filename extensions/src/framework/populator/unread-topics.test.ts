import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../testing/eventually.js';
import { EmbeddedQueue } from '../queue/embedded/embedded-queue.js';
import { UnreadTopics } from './unread-topics.js';

test('a topic that nobody reads is said once, and one that is read is not', async t => {
  const log = silentLogger();
  const queue = new EmbeddedQueue({ folder: await temporaryFolder(t), segmentBytes: 1e6, log });
  t.after(() => queue.close());
  const said: string[] = [];
  const warn = (_what: object, text: string): void => void said.push(text);
  const readers = ['read', 'unread', 'last'].map(topic => ({
    topic,
    extension: topic,
    group: `${topic}-group`,
  }));
  const topics = new UnreadTopics({ queue, readers, log: Object.assign(log, { warn }), lookAfterMs: 0 });
  t.after(() => topics.close());
  for (const topic of ['read', 'unread', 'misspelt', 'last'])
    await queue.publish(topic, [{ key: 'k', value: 'v' }]);
  const handle = (): Promise<void> => Promise.resolve();
  await queue.consume({ topic: 'read', group: 'read-group', concurrency: 1, handle });
  for (const topic of ['read', 'unread', 'misspelt', 'unread', 'misspelt', 'last']) topics.published(topic);
  await eventually(() => said.length >= 3, 'all were looked at');
  assert.deepEqual(said.sort(), [
    'no extension that runs here reads this topic: unless others do, its messages only pile up',
    'nobody has read this topic yet: run its processor, with `npm run processor -- last` say',
    'nobody has read this topic yet: run its processor, with `npm run processor -- unread` say',
  ]);
});
