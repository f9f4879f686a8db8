import assert from 'node:assert/strict';
import test from 'node:test';
import { optional, readSettings, SettingsError } from '../settings.js';
import { AddressList, addressList } from './address-list.js';

const HELD: Readonly<Record<string, readonly [inside: readonly string[], outside: readonly string[]]>> = {
  '10.0.0.0/8': [
    ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3'],
    ['11.0.0.0', '9.255.255.255', '::ffff:11.1.2.3', '::10.1.2.3'],
  ],
  '10.1.2.3/8': [['10.255.255.255'], ['11.0.0.0']],
  '10.128.0.0/9': [['10.129.1.1'], ['10.127.1.1']],
  '192.168.1.7': [
    ['192.168.1.7', '::ffff:192.168.1.7', '::FFFF:192.168.1.7'],
    ['192.168.1.6', '::1'],
  ],
  '0.0.0.0/0': [['1.2.3.4', '::ffff:1.2.3.4'], ['::1']],
  '::/0': [
    ['::1', 'fe80::1%eth0'],
    ['1.2.3.4', '::ffff:1.2.3.4'],
  ],
  '::1': [['::1'], ['::2', '127.0.0.1']],
  'fd00::/8': [['fd12::1'], ['fe00::1']],
  'fe80::/10': [['fe80::1%eth0'], ['fec0::1%eth0']],
  '::ffff:10.0.0.0/104': [['10.1.2.3', '::ffff:10.1.2.3'], ['11.1.2.3']],
  '::ffff:a00:1': [['10.0.0.1', '::ffff:10.0.0.1'], ['10.0.0.2']],
};

test('an address is in the networks of its own family, and an IPv4 one in either notation', () => {
  for (const [entry, [inside, outside]] of Object.entries(HELD)) {
    const list = new AddressList([entry]);
    for (const address of inside) assert.ok(list.has(address), `${entry} has ${address}`);
    for (const address of outside) assert.ok(!list.has(address), `${entry} has no ${address}`);
  }
});

test('several entries hold what each of them does; an address that is not known is in none', () => {
  const list = new AddressList(['127.0.0.0/8', '::1', 'fd00::/8']);
  for (const address of ['127.0.0.1', '::1', 'fd00::1']) assert.ok(list.has(address), address);
  for (const address of ['128.0.0.1', '', 'unknown', undefined]) assert.ok(!list.has(address), address);
});

test('a wrong entry is refused with its name', () => {
  for (const wrong of [
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0/8',
    '010.0.0.1',
    '10.0.0.0/8/8',
    '10.0.0.0/1e1',
    '::ffff:10.0.0.0/95',
    'fe80::1%eth0',
    'localhost',
    '',
  ]) {
    const read = (): unknown =>
      readSettings({ ALLOW_FROM: optional(addressList, '') }, { ALLOW_FROM: `127.0.0.1, ${wrong},::1` });
    assert.throws(read, (err: unknown) => {
      assert.ok(err instanceof SettingsError);
      assert.ok(err.message.startsWith('ALLOW_FROM: '), err.message);
      assert.ok(err.message.includes(`("${wrong}" is neither an address nor a network)`), err.message);
      return true;
    });
  }
});

test('none is no list', () => {
  assert.equal(
    readSettings({ ALLOW_FROM: optional(addressList, '') }, { ALLOW_FROM: '' }).ALLOW_FROM,
    undefined,
  );
});
