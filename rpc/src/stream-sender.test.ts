import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
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

/** Items of which some come together, each time after a turn of the event loop; it ends when it is told to. */
class Slow implements AsyncIterator<string> {
  readonly #portions: string[][];
  #ahead: string[] = [];
  #allGiven: () => void = () => undefined;
  readonly #given = new Promise<void>(resolve => (this.#allGiven = resolve));
  #end: () => void = () => undefined;
  readonly #ended = new Promise<void>(resolve => (this.#end = resolve));

  constructor(portions: string[][]) {
    this.#portions = portions;
  }

  async next(): Promise<IteratorResult<string, undefined>> {
    await sleep(1);
    this.#ahead = this.#portions.shift() ?? [];
    const value = this.atHand();
    if (value !== undefined) return { done: false, value };
    this.#allGiven();
    await this.#ended;
    return { done: true, value };
  }

  atHand(): string | undefined {
    return this.#ahead.shift();
  }

  /** Resolves when all items have been taken. */
  given(): Promise<void> {
    return this.#given;
  }

  end(): void {
    this.#end();
  }
}

interface Sent {
  readonly data: readonly string[];
  readonly acknowledge: () => void;
}

function start(items: AsyncIterator<string>) {
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

test('messages grow with what has been sent, never beyond a part of it, and all items arrive in order', async () => {
  const items = new Ready(50_000);
  const { sent, state } = start(items);
  const received: string[] = [];
  while (!state.ended || sent.length > 0) {
    const message = sent.shift();
    if (message === undefined) {
      await sleep(1);
      continue;
    }
    assert.ok(
      message.data.length <= Math.max(64, received.length / 8),
      `${message.data.length} of ${received.length}`,
    );
    received.push(...message.data);
    message.acknowledge();
  }
  assert.deepEqual(
    received,
    Array.from({ length: 50_000 }, (_, n) => `x${n + 1}`),
  );
});

test('a message is bounded in bytes', async () => {
  const { sent, sender } = start(new Ready(1000, 'y'.repeat(100_000)));
  await sleep(20);
  assert.deepEqual(
    sent.map(({ data }) => data.length),
    [3, 3, 3, 3],
  );
  sender.hangUp();
});

test('the first items wait for no other, and small rests wait until the reader has taken what is on its way', async () => {
  const items = new Slow([['a'], ['b'], ['c'], ['d']]);
  const { sent, state, sender } = start(items);
  await sleep(5);
  assert.deepEqual(
    sent.map(({ data }) => data),
    [['a']],
  );
  await items.given();
  assert.equal(sent.length, 1, 'b to d wait');
  sent[0]?.acknowledge();
  await sleep(5);
  assert.deepEqual(
    sent.map(({ data }) => data),
    [['a'], ['b', 'c', 'd']],
  );
  assert.equal(state.ended, false, 'its end is not known yet');
  items.end();
  await sleep(5);
  assert.equal(state.ended, true);
  sender.hangUp();
});
