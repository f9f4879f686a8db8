import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { ITEM_HEADER_BYTES, type ItemValue, openItem, sealItem } from './item.js';

function sealed(key: string, value: ItemValue): Buffer {
  return Buffer.concat(sealItem(key, value));
}

test('a sealed value opens under its key, whatever its size', () => {
  for (const size of [0, 1, 7, 8, 65_536]) {
    const value = randomBytes(size);
    const item = sealed('key', value);
    assert.equal(item.length, size + ITEM_HEADER_BYTES);
    assert.ok(openItem('key', item)?.equals(value));
  }
});

test('a value does not open under another key, damaged, cut, or longer', () => {
  const value = randomBytes(1000);
  const item = sealed('key', value);
  assert.equal(openItem('kez', item), undefined);
  assert.equal(openItem('', item), undefined);
  for (const cut of [0, 3, 4, 7, 8, 500, item.length - 1])
    assert.equal(openItem('key', item.subarray(0, cut)), undefined);
  assert.equal(openItem('key', Buffer.concat([item, Buffer.of(0)])), undefined);
  for (let at = 0; at < item.length; at += 13) {
    const damaged = Buffer.from(item);
    damaged.writeUInt8(damaged.readUInt8(at) ^ 0x10, at);
    assert.equal(openItem('key', damaged), undefined, `byte ${at}`);
  }
});

test('the layout is the one that filled servers hold', () => {
  assert.equal(sealed('key', Buffer.from('value')).toString('hex'), '5a4b4d3115f1d53b76616c7565');
});
