import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../../testing/eventually.js';
import { queueContract } from '../../../testing/queue-contract/queue-contract.js';
import { EmbeddedQueue } from './embedded-queue.js';
import { leasePath, readCommitted } from './group-offsets.js';
import { formatPosition, listSegments, segmentPath } from './segments.js';

const folders = new WeakMap<TestContext, Promise<string>>();

/** All queues of one test reach the same folder. */
async function open(t: TestContext, segmentBytes = 64 * 1024): Promise<EmbeddedQueue> {
  const folder = folders.get(t) ?? temporaryFolder(t);
  folders.set(t, folder);
  const queue = new EmbeddedQueue({ folder: await folder, segmentBytes, log: silentLogger() });
  t.after(() => queue.close());
  return queue;
}

queueContract('embedded queue', { open });
queueContract('embedded queue with a segment for each publish', { open: t => open(t, 1) });

async function collect(queue: EmbeddedQueue, topic: string, group = 'g'): Promise<string[]> {
  const values: string[] = [];
  await queue.consume({
    topic,
    group,
    concurrency: 1,
    handle: message => Promise.resolve(void values.push(message.value)),
  });
  return values;
}

const refuse = (): Promise<void> => Promise.reject(new Error('not now'));
const message = (value: string) => [{ key: 'k', value }];

test('a record torn by a crash is left out, whatever its length, and what comes later is found', async t => {
  const queue = await open(t);
  const folder = path.join((await folders.get(t)) ?? '', 'topic');
  await queue.publish('topic', message('first'));
  const whole = (await readFile(segmentPath(folder, 1))).length;
  await queue.publish('topic', message('second'));
  // A group that has read nothing keeps every segment.
  await (await queue.consume({ topic: 'topic', group: 'slow', concurrency: 1, handle: refuse })).close();
  await queue.close();
  const file = segmentPath(folder, 1);
  const content = await readFile(file);
  for (let length = content.length - 1; length >= whole; length -= 7) {
    await truncate(file, length);
    const next = await open(t);
    await next.publish('topic', message(`after ${length}`));
    const values = await collect(next, 'topic', `g${length}`);
    await eventually(() => values.includes(`after ${length}`), 'the new message came');
    assert.ok(!values.includes('second'));
    assert.equal(values[0], 'first');
    await next.close();
  }
});

test('garbage that a crash left at the end does not hide what the next writer appends', async t => {
  const queue = await open(t);
  await queue.publish('topic', message('one'));
  await queue.close();
  const file = segmentPath(path.join((await folders.get(t)) ?? '', 'topic'), 1);
  await appendFile(file, Buffer.alloc(5000));
  const next = await open(t);
  await next.publish('topic', message('two'));
  const values = await collect(next, 'topic');
  await eventually(() => values.length === 2, 'both came');
  assert.deepEqual(values, ['one', 'two']);
});

test('segments that all groups have read are removed, those that one still needs are not', async t => {
  const queue = await open(t, 200);
  const folder = path.join((await folders.get(t)) ?? '', 'topic');
  const values = await collect(queue, 'topic', 'reader');
  for (let i = 0; i < 10; i++) await queue.publish('topic', message('x'.repeat(300)));
  await eventually(() => values.length === 10, 'all were read');
  await eventually(
    async () => (await queue.progress('topic', 'reader')).every(partition => partition.finished),
    'the offset is committed',
  );
  await queue.publish('topic', message('y'.repeat(300)));
  await queue.publish('topic', message('y'.repeat(300)));
  await eventually(async () => (await listSegments(folder)).length <= 4, 'the old segments are gone');
  const late = await collect(queue, 'topic', 'late');
  await eventually(() => late.length > 0, 'a late group reads what is left');
  await queue.close();
  assert.ok((await readdir(folder)).includes('groups'));
});

test('a group goes on where an earlier version has committed', async t => {
  const queue = await open(t);
  for (const value of ['one', 'two', 'three']) await queue.publish('topic', message(value));
  const first = await collect(queue, 'topic');
  await eventually(() => first.length === 3, 'all came');
  await queue.close();
  const topic = path.join((await folders.get(t)) ?? '', 'topic');
  const line = (await readFile(segmentPath(topic, 1), 'utf8')).indexOf('\n') + 1;
  const position = formatPosition({ segment: 1, byte: line });
  const committed = { position, committedAt: '2026-01-01T00:00:00.000Z' };
  const file = path.join(topic, 'groups', 'g.json');
  await writeFile(file, `${JSON.stringify(committed)}\n`);
  const next = await open(t);
  assert.equal((await next.progress('topic', 'g'))[0]?.committed, position);
  const values = await collect(next, 'topic');
  await eventually(() => values.length === 2, 'the others came');
  assert.deepEqual(values, ['two', 'three']);
  await eventually(
    async () => (await next.progress('topic', 'g')).every(({ finished }) => finished),
    'the offset is committed',
  );
});

test('what all groups have read is removed although nothing follows it', async t => {
  const queue = await open(t);
  const folder = path.join((await folders.get(t)) ?? '', 'topic');
  const values = await collect(queue, 'topic');
  await queue.publish('topic', message('one'));
  // Another publisher's first try, which did not get so far as to write.
  await writeFile(segmentPath(folder, 2), '');
  await eventually(() => values.length === 1, 'it came');
  await eventually(async () => (await listSegments(folder)).join() === '2', 'its segment is gone');
  await queue.publish('topic', message('two'));
  await eventually(() => values.length === 2, 'what follows came');
});

test('a message is delivered soon after it was published by another process', async t => {
  const queue = await open(t);
  const other = await open(t);
  const values = await collect(queue, 'topic');
  await sleep(100);
  const delays: number[] = [];
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    await other.publish('topic', message(String(i)));
    await eventually(() => values.length === i + 1, 'it came');
    delays.push(performance.now() - start);
  }
  t.diagnostic(`delays in ms: ${delays.map(delay => delay.toFixed(0)).join(' ')}`);
});

test('a member that lost its lease ends the attempt under way before it takes anything again', async t => {
  const queue = await open(t);
  const folder = path.join((await folders.get(t)) ?? '', 'topic');
  const begun: string[] = [];
  let atOnce = 0;
  let lost: AbortSignal | undefined;
  let end = (): void => undefined;
  const ended = new Promise<void>(resolve => (end = resolve));
  await queue.consume({
    topic: 'topic',
    group: 'g',
    concurrency: 4,
    handle: async ({ value }, signal) => {
      lost ??= signal;
      assert.equal(++atOnce, 1);
      begun.push(value);
      await ended;
      atOnce--;
    },
  });
  await queue.publish('topic', message('first'));
  await eventually(() => begun.length === 1, 'the attempt is under way');
  const before = await readCommitted(folder, 'g');
  const lease = leasePath(folder, 'g');
  await rm(lease);
  await symlink('1@elsewhere-0#x', lease);
  await eventually(() => lost?.aborted === true, 'it finds the lease lost');
  await queue.publish('topic', message('second'));
  await rm(lease);
  // Long enough for it to take the lease again, and what it would find.
  await sleep(2500);
  assert.deepEqual(begun, ['first']);
  assert.deepEqual(await readCommitted(folder, 'g'), before, "the group's position is the new holder's");
  end();
  await eventually(() => begun.length === 3, 'it goes on');
  assert.deepEqual(begun, ['first', 'first', 'second']);
});
