import assert from 'node:assert/strict';
import test from 'node:test';
import { type Reader, UnreadBytes } from './unread-bytes.js';

class FakeReader implements Reader {
  unread = 0;
  isCutOff = false;

  cutOff(): void {
    this.isCutOff = true;
    this.unread = 0;
  }
}

function three(limit: number) {
  const unread = new UnreadBytes(limit);
  const readers = [new FakeReader(), new FakeReader(), new FakeReader()] as const;
  readers.forEach(reader => unread.add(reader));
  const send = (reader: FakeReader, bytes: number): void => {
    reader.unread += bytes;
    unread.sent(bytes);
  };
  return { unread, readers, send };
}

test('readers that read may be sent any amount', () => {
  const { readers, send } = three(100);
  for (let n = 0; n < 1000; n += 1) {
    for (const reader of readers) {
      send(reader, 30);
      reader.unread = 0;
    }
  }
  assert.deepEqual(
    readers.map(({ isCutOff }) => isCutOff),
    [false, false, false],
  );
});

test('when all leave too much unread, those that leave most are cut off, and no more of them than need be', () => {
  const { readers, send } = three(100);
  const [least, most, sender] = readers;
  send(least, 10);
  send(most, 60);
  send(sender, 25);
  assert.equal(most.isCutOff, false);
  send(sender, 10);
  assert.deepEqual([least.isCutOff, most.isCutOff, sender.isCutOff], [false, true, false]);
  send(sender, 55);
  assert.deepEqual([least.isCutOff, sender.isCutOff], [false, false], 'what it left is gone with it');
  send(least, 5);
  assert.deepEqual([least.isCutOff, sender.isCutOff], [false, true]);
});

test('a reader that has gone does not count', () => {
  const { unread, readers, send } = three(100);
  const [gone, stays] = readers;
  send(gone, 90);
  unread.delete(gone);
  send(stays, 90);
  assert.deepEqual([gone.isCutOff, stays.isCutOff], [false, false]);
});
