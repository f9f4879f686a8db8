/** Run by `full-disk.test.ts` on a file system of 1 MiB: `node full-disk-scenario.js <folder>`. */
import assert from 'node:assert/strict';
import { mkdir, open, readdir, readlink, rm, statfs, symlink } from 'node:fs/promises';
import path from 'node:path';
import { sleep } from '@zenko-modules/common/deadline';
import { silentLogger } from '@zenko-modules/common/logger';
import { acquireLease } from '../framework/files/lease.js';
import { Cursors } from '../framework/populator/cursor.js';
import { CursorFiles } from '../framework/populator/cursor-files.js';
import { EmbeddedQueue } from '../framework/queue/embedded/embedded-queue.js';
import type { Consumer, Message } from '../framework/queue/queue.js';
import { eventually } from './eventually.js';

const root = process.argv[2] ?? '';
const BATCH = 20;
const MORE_PUBLISHES = 100;
const log = silentLogger();

const freeBytes = async (): Promise<number> => {
  const { bavail, bsize } = await statfs(root);
  return bavail * bsize;
};

/** Takes the room that is left, to the last byte, as another program on the same disk may. */
async function takeAllRoom(file: string): Promise<void> {
  const handle = await open(file, 'w');
  try {
    while ((await freeBytes()) > 0) await handle.appendFile(Buffer.alloc(4096));
  } finally {
    await handle.close();
  }
  assert.equal(await freeBytes(), 0);
}

class Reader {
  readonly values: number[] = [];
  hold = false;
  readonly #queue: EmbeddedQueue;
  readonly #topic: string;
  readonly #group: string;
  #consumer: Consumer | undefined;

  constructor(queue: EmbeddedQueue, topic: string, group: string) {
    this.#queue = queue;
    this.#topic = topic;
    this.#group = group;
  }

  async start(): Promise<void> {
    this.#consumer = await this.#queue.consume({
      topic: this.#topic,
      group: this.#group,
      concurrency: 1,
      handle: async ({ value }, signal) => {
        while (this.hold && !signal.aborted) await sleep(10, signal);
        signal.throwIfAborted();
        this.values.push(Number(value.slice(0, value.indexOf(' '))));
      },
    });
  }

  async stop(): Promise<void> {
    await this.#consumer?.close();
  }

  async finished(): Promise<boolean> {
    return (await this.#queue.progress(this.#topic, this.#group)).every(({ finished }) => finished);
  }
}

async function fillAndRecover(segmentBytes: number): Promise<number> {
  const folder = path.join(root, `queue-${segmentBytes}`);
  await mkdir(folder);
  const queue = new EmbeddedQueue({ folder, segmentBytes, log });
  const beside = new EmbeddedQueue({ folder, segmentBytes, log });
  const topic = 'topic';
  const acknowledged: number[] = [];
  let next = 0;
  const publish = async (): Promise<boolean> => {
    const numbers = Array.from({ length: BATCH }, () => next++);
    const messages: Message[] = numbers.map(number => ({ key: 'k', value: `${number} ${'x'.repeat(1000)}` }));
    try {
      await queue.publish(topic, messages);
      acknowledged.push(...numbers);
      return true;
    } catch (err) {
      assert.equal((err as { code?: string }).code, 'UNAVAILABLE', String(err));
      return false;
    }
  };
  const slow = new Reader(queue, topic, 'slow');
  const fast = new Reader(beside, topic, 'fast');
  slow.hold = true;
  await slow.start();
  await fast.start();
  while (await publish());
  const filesWhenFull = (await readdir(path.join(folder, topic))).length;
  for (let tries = 0; tries < MORE_PUBLISHES; tries++) assert.equal(await publish(), false);
  const filesAfterTries = (await readdir(path.join(folder, topic))).length;
  assert.ok(filesAfterTries <= filesWhenFull + 1, `${filesWhenFull} files became ${filesAfterTries}`);

  // Publishing has left room for who comes to read.
  const late = new Reader(beside, topic, 'late');
  await late.start();
  await eventually(() => late.values.length >= acknowledged.length, 'a new group reads all on a full disk');
  // From here on there is not a byte.
  const ballast = path.join(root, 'ballast');
  await takeAllRoom(ballast);
  for (const reader of [fast, late]) {
    await eventually(() => reader.finished(), 'offsets are committed on a full disk');
    await reader.stop();
    await reader.start();
  }
  assert.equal(await publish(), false);
  slow.hold = false;
  await eventually(() => slow.finished(), 'the slow one is done');
  await eventually(publish, 'what all have read makes room');
  for (const reader of [slow, fast, late]) {
    await eventually(() => reader.values.at(-1) === acknowledged.at(-1), 'all came');
    const firsts = new Set(reader.values);
    assert.deepEqual(
      acknowledged.filter(number => !firsts.has(number)),
      [],
      'acknowledged and never delivered',
    );
    assert.deepEqual(
      [...firsts],
      [...firsts].sort((a, b) => a - b),
    );
  }
  await rm(ballast);
  await queue.close();
  await beside.close();
  await rm(folder, { recursive: true });
  return acknowledged.length;
}

/** What a populator needs: its lease, also that of one that was killed, and its cursor. */
async function populatorOnFullDisk(): Promise<void> {
  const { signal } = new AbortController();
  const file = path.join(root, 'lease');
  const cursors = await Cursors.load(new CursorFiles(root), ['own']);
  await cursors.save('own', { nextSeq: 1 });
  await takeAllRoom(path.join(root, 'ballast'));
  for (let nextSeq = 2; nextSeq < 6; nextSeq++) {
    await cursors.save('own', { nextSeq, lastRecord: 'x'.repeat(64) });
    assert.equal((await Cursors.load(new CursorFiles(root), ['own'])).get('own').nextSeq, nextSeq);
    const lease = await acquireLease({ file, what: 'the test', log, signal });
    assert.ok(lease);
    await lease.release();
  }
  const own = await acquireLease({ file, what: 'the test', log, signal });
  // As if it were that of a process that was killed: no process has this number.
  const dead = (await readlink(file)).replace(String(process.pid), '4194305');
  await own?.release();
  await symlink(dead, file);
  await (await acquireLease({ file, what: 'the test', log, signal }))?.release();
  await rm(path.join(root, 'ballast'));
}

const counts = [await fillAndRecover(64 * 1024), await fillAndRecover(16 * 1024 * 1024)];
await populatorOnFullDisk();
console.log(`${counts.join(' and ')} acknowledged on a disk that was full, all delivered`);
