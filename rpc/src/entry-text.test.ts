import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test, { type TestContext } from 'node:test';
import { io } from 'socket.io-client';
import { type Random, seededRandom } from '@zenko-modules/common/testing/random';
import { type Entry, EntryData, entryText } from './entry-text.js';
import { EntryStreamResult } from './service.js';
import { NAMESPACE, startRig } from './testing/rpc-rig.js';

const HEAD = '42/test/calls,17["stream-data",';
const STREAM = 'a "stream"';
const PLAIN = 'abc xyz0123456789{}[]:,/\x7f';
const OTHERS = ['"', '\\', '""', '\\"', 'é', 'ÿ', '€', '\u2028', '\uffff', '😀'];
const UNFIT = ['\0', '\n', '\x1f', '\ud83d', '\ude00'];

const expected = (entries: readonly Entry[]): string =>
  `${HEAD}${JSON.stringify({ streamId: STREAM, data: entries })}]`;

function textOf(entries: readonly Entry[]): string | undefined {
  const text = entryText(HEAD, new EntryData(STREAM, entries));
  return text && Buffer.from(text).toString();
}

function randomText(random: Random, length: number, pieces: readonly string[]): string {
  let text = '';
  while (text.length < length) {
    const plain = random.integer(0, 20);
    for (let left = plain; left > 0; left -= 1) text += PLAIN.charAt(random.integer(0, PLAIN.length - 1));
    text += pieces[random.integer(0, pieces.length - 1)] ?? '';
  }
  return text;
}

function randomEntries(random: Random): Entry[] {
  return Array.from({ length: random.integer(1, 200) }, () => ({
    key: randomText(random, random.integer(0, 30), OTHERS),
    value: randomText(random, random.integer(0, 900), OTHERS),
  }));
}

test('the bytes are those of the JSON text, or there are none', t => {
  const random = seededRandom(t);
  let made = 0;
  for (let run = 0; run < 400; run += 1) {
    const entries = randomEntries(random);
    const text = textOf(entries);
    if (text !== undefined) {
      assert.equal(text, expected(entries));
      made += 1;
    } else {
      const length = entries.reduce((sum, { key, value }) => sum + key.length + value.length + 2, 0);
      assert.ok(length < 8 * 1024 || length > 128 * 1024, `${length} characters`);
    }
  }
  assert.ok(made > 200, `${made} made`);
});

test('a character at any place of a word is escaped, and none beside it', () => {
  for (const piece of [...OTHERS, 'a', '\x20', '\x21', '\x23', '\x5b', '\x5d', '\x80', '\xa2', '\xdc']) {
    for (let at = 0; at < 12; at += 1) {
      for (const rest of [0, 1, 2, 3, 9000]) {
        const value = 'v'.repeat(at) + piece + 'v'.repeat(rest);
        const entries = [
          { key: value, value },
          { key: '', value: '' },
          { key: 'k', value: 'w'.repeat(9000) + value },
        ];
        assert.equal(textOf(entries), expected(entries));
      }
    }
  }
});

test('what is short, long, or holds what only JSON.stringify knows how to write is left to it', t => {
  const random = seededRandom(t);
  const entry = { key: 'k', value: 'v'.repeat(9000) };
  assert.equal(textOf([entry]), expected([entry]));
  assert.equal(textOf([]), undefined);
  assert.equal(textOf([{ key: 'k', value: 'v' }]), undefined);
  const longest = { key: 'k', value: '"'.repeat(128 * 1024 - 3) };
  assert.equal(textOf([longest]), expected([longest]));
  assert.equal(textOf([{ ...longest, key: 'kk' }]), undefined);
  assert.equal(textOf(Array.from({ length: 4097 }, () => ({ key: 'k', value: 'vvv' }))), undefined);
  const many = Array.from({ length: 4096 }, () => ({ key: '', value: '' }));
  assert.equal(textOf(many), expected(many));
  for (const piece of UNFIT) {
    for (const place of ['key', 'value'] as const) {
      const entries = [entry, ...randomEntries(random), { ...entry, [place]: `a${piece}b` }, entry];
      assert.equal(textOf(entries), undefined, JSON.stringify(piece));
    }
  }
});

interface AnySocket {
  on(event: string, listener: (...args: never[]) => void): unknown;
  emit(event: string, ...args: unknown[]): unknown;
  disconnect(): unknown;
}
type Connect = (url: string, options: Readonly<Record<string, unknown>>) => AnySocket;

/** Every item of a stream that is asked for over a bare socket, whatever its generation. */
function listed(t: TestContext, socket: AnySocket): Promise<unknown[]> {
  t.after(() => socket.disconnect());
  return new Promise((resolve, reject) => {
    const items: unknown[] = [];
    socket.on('stream-data', ({ data }: { data: unknown[] }, ack: (err: null) => void) => {
      items.push(...data);
      ack(null);
    });
    socket.on('stream-end', () => resolve(items));
    socket.on('stream-error', (failure: unknown) => reject(new Error(JSON.stringify(failure))));
    socket.on('disconnect', () => reject(new Error('the connection ended')));
    socket.emit('call', 'list', { rpcArgs: [] }, (err: unknown) => {
      if (err !== null) reject(new Error(JSON.stringify(err)));
    });
  });
}

const require = createRequire(import.meta.url);
const old = (version: 1 | 2): Connect => require(`socket.io-client-${version}`) as Connect;
const CLIENTS: Readonly<Record<string, [Connect, Readonly<Record<string, unknown>>]>> = {
  'a web socket': [io, { transports: ['websocket'] }],
  polling: [io, { transports: ['polling'] }],
  'polling that becomes a web socket meanwhile': [io, {}],
  'a client that takes no bytes': [io, { transports: ['websocket'], query: { b64: '1' } }],
  'socket.io-client 1': [old(1), {}],
  'socket.io-client 2': [old(2), {}],
};

for (const [name, [connect, options]] of Object.entries(CLIENTS)) {
  test(`entries of all kinds come over ${name} as they are`, async t => {
    const random = seededRandom(t);
    const entries = Array.from({ length: 3000 }, (_, n) => ({
      key: `k${n}`,
      value: randomText(random, random.integer(0, 900), n % 500 === 0 ? ['\0', '\n'] : OTHERS),
    }));
    entries.push({ key: 'large', value: randomText(random, 300_000, OTHERS) });
    const items = (): EntryStreamResult => {
      const iterator = entries[Symbol.iterator]();
      const next = (): IteratorResult<Entry, undefined> => iterator.next();
      return new EntryStreamResult({
        next: () => Promise.resolve(next()),
        atHand: () => next().value,
      });
    };
    const { url } = await startRig(t, { list: () => Promise.resolve(items()) });
    const socket = connect(url + NAMESPACE, { forceNew: true, reconnection: false, ...options });
    assert.deepEqual(await listed(t, socket), entries);
  });
}
