/** The JSON of a record is written without a text in between: it must be the one that `JSON.stringify` shows. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type Message, QueueError } from '../queue.js';
import { decodeRecord, MAX_RECORD_BYTES, RecordEncoder } from './record-format.js';

const TIME = 1_790_000_000_000;

/** The JSON in each record of `messages`, which are read back as they were. */
function jsonOf(messages: readonly Message[]): string[] {
  const records = new RecordEncoder().encode(messages, TIME);
  const texts: string[] = [];
  let at = 0;
  for (const message of messages) {
    const decoded = decodeRecord(records, at);
    assert.ok(decoded.kind === 'record');
    assert.deepEqual(decoded.record, { time: TIME, ...message });
    texts.push(records.toString('utf8', at + 18, at + decoded.bytes - 1));
    at += decoded.bytes;
  }
  assert.equal(at, records.length);
  return texts;
}

function assertAsStringify(messages: readonly Message[]): void {
  const expected = messages.map(({ key, value, headers }) =>
    JSON.stringify(headers ? { time: TIME, key, value, headers } : { time: TIME, key, value }),
  );
  assert.deepEqual(jsonOf(messages), expected);
}

test('every character is written as JSON.stringify writes it, halves of pairs too', () => {
  const units = Array.from({ length: 0x10000 }, (_, unit) => String.fromCharCode(unit));
  assertAsStringify(units.map(unit => ({ key: 'k', value: `a${unit}"b` })));
});

test('pairs, JSON in JSON, headers, keys that are escaped, and texts without a character', () => {
  const inner = JSON.stringify({ text: 'say "no" \\ ü 語 😀', list: [1, 'x'] });
  const outer = JSON.stringify({ inner, more: JSON.stringify({ inner }) });
  assertAsStringify([
    { key: '', value: '' },
    { key: 'b"u\\c\nket/😀', value: outer },
    { key: 'k', value: '😀"', headers: { 'error-message': 'a "quoted"\n text', attempts: '1' } },
    { key: 'k', value: '\ud83d' },
    { key: 'k', value: '\ude00\ud83d x' },
  ]);
});

test('texts of all lengths around those for which room is kept, beside small ones', () => {
  const lengths = [64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 1024 * 1024];
  const values = lengths.flatMap(length => ['"', '語', '\n'].map(character => character.repeat(length)));
  assertAsStringify(
    values.flatMap(value => [
      { key: 'k', value },
      { key: 'small', value: '{"a":1}' },
    ]),
  );
});

test('a record is bounded in bytes, as it stands in the file', () => {
  const rest = jsonOf([{ key: 'k', value: '' }]).join('').length + 18 + 1;
  const most = 'x'.repeat(MAX_RECORD_BYTES - rest);
  assert.equal(new RecordEncoder().encode([{ key: 'k', value: most }], TIME).length, MAX_RECORD_BYTES);
  for (const value of [`${most}x`, '"'.repeat(most.length / 2 + 1), 'x'.repeat(MAX_RECORD_BYTES + 1)]) {
    assert.throws(
      () => new RecordEncoder().encode([{ key: 'k', value }], TIME),
      (err: unknown) => err instanceof QueueError && err.code === 'MESSAGE_TOO_LARGE',
    );
  }
});
