import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import type { ItemIterator } from './service.js';
import { StreamSender, type StreamSocket } from './stream-sender.js';

const LIMITS = { ackMs: 60_000, stepMs: 60_000 };

/** Numbers of which all are at hand, once the first was waited for. */
class Ready implements AsyncIterator<string> {
  readonly #item: string;
  readonly #count: number;
  taken = 0;

  constructor(count: number, item = 'x') {
    this.#count = count;
    this.#item = item;
  }

  next(): Promise<IteratorResult<string, undefined>> {
    const value = this.atHand();
    return Promise.resolve(value === undefined ? { done: true, value } : { done: false, value });
  }

  atHand(): string | undefined {
    if (this.taken >= this.#count) return undefined;
    this.taken += 1;
    return this.#item + String(this.taken);
  }
}

interface Sent {
  readonly data: readonly string[];
  readonly acknowledge: () => void;
}

function start(items: ItemIterator<string>) {
  const sent: Sent[] = [];
  const state = { ended: false };
  const socket: StreamSocket = {
    request: (event, payload, _bytes, _timeoutMs, onAck) => {
      if (event === 'stream-end') state.ended = true;
      else sent.push({ data: (payload as { data: string[] }).data, acknowledge: () => onAck(null) });
    },
    notify: () => assert.fail('no error'),
  };
  const sender = new StreamSender({
    streamId: 'id',
    socket,
    items,
    limits: LIMITS,
    onClosed: () => undefined,
  });
  return { sent, state, sender };
}

test('items at hand go out together, and no more is taken than may be on the way', async () => {
  const items = new Ready(100_000);
  const { sent, sender } = start(items);
  await sleep(20);
  assert.equal(sent.length, 4, 'in flight');
  assert.ok(sent.every(({ data }) => data.length >= 64));
  assert.ok(items.taken <= 4 * 64 + 1, `${items.taken} taken`);
  sender.hangUp();
});

test('messages grow with what has been sent, as what is on the way does, never beyond a part of it, and all items arrive in order', async () => {
  const items = new Ready(50_000);
  const { sent, state } = start(items);
  const received: string[] = [];
  while (!state.ended || sent.length > 0) {
    const message = sent.shift();
    if (message === undefined) {
      await sleep(1);
      continue;
    }
    const { length } = message.data;
    assert.ok(length <= Math.max(64, Math.ceil(received.length / 4)), `${length} of ${received.length}`);
    received.push(...message.data);
    // When the last one was sent, all before it were on the way, with this one, or part of them.
    const before = length + sent.slice(0, -1).flatMap(({ data }) => data).length;
    if (sent.length > 0)
      assert.ok(before < Math.max(256, (received.length + before) / 4) + length, `${before} on the way`);
    message.acknowledge();
  }
  assert.deepEqual(
    received,
    Array.from({ length: 50_000 }, (_, n) => `x${n + 1}`),
  );
});

test('who has got a page, and one item more, is sent no other before he has acknowledged them', async () => {
  const items = new Ready(100_000);
  const { sent, sender } = start(items);
  let received = 0;
  while (received < 1001) {
    const message = sent.shift();
    if (message === undefined) {
      await sleep(1);
      continue;
    }
    received += message.data.length;
    if (received === 1001) {
      await sleep(20);
      assert.equal(sent.length, 0);
      assert.ok(items.taken <= 1001, `${items.taken} taken`);
    }
    message.acknowledge();
  }
  assert.equal(received, 1001);
  await sleep(5);
  assert.ok(sent.length > 1, 'he wants more');
  sender.hangUp();
});

test('while a message is on the way the next one is filled, and goes out with the acknowledgement', async () => {
  const waiting: ((step: IteratorResult<string, undefined>) => void)[] = [];
  const items = {
    next: () => new Promise<IteratorResult<string, undefined>>(resolve => waiting.push(resolve)),
  };
  const { sent, sender } = start(items);
  const give = async (value: string): Promise<void> => {
    waiting.shift()?.({ done: false, value });
    await sleep(5);
  };
  for (const value of ['a', 'b', 'c']) await give(value);
  assert.deepEqual(
    sent.map(({ data }) => data),
    [['a']],
  );
  sent[0]?.acknowledge();
  await sleep(5);
  assert.deepEqual(sent[1]?.data, ['b', 'c']);
  sent[1].acknowledge();
  await give('d');
  assert.deepEqual(sent[2]?.data, ['d'], 'nothing is on the way');
  sender.hangUp();
});

test('a message is bounded in bytes', async () => {
  const { sent, sender } = start(new Ready(1000, 'y'.repeat(40_000)));
  await sleep(20);
  assert.deepEqual(
    sent.map(({ data }) => data.length),
    [3, 3, 3, 3],
  );
  sender.hangUp();
});
