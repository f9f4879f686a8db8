import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import {
  flag,
  hosts,
  integer,
  oneOf,
  optional,
  port,
  readSettings,
  secret,
  setting,
  SettingsError,
  text,
} from './settings.js';
import { temporaryFolder } from './testing/temporary-folder.js';

const TABLE = {
  DATA_PORT: setting(port, '9991', 'a port'),
  BACKEND: setting(oneOf('disk', 'memcached'), 'disk', 'a choice'),
  LIMIT: setting(integer(1, 10, 'milliseconds'), '5', 'a number'),
  VERBOSE: setting(flag, 'false', 'a flag'),
  SERVERS: optional(hosts(11_211), 'some servers'),
  PASSWORD: secret(optional(text, 'a secret')),
} as const;

test('every default is accepted by its own row, and typed', () => {
  assert.deepEqual(readSettings(TABLE, {}), {
    DATA_PORT: 9991,
    BACKEND: 'disk',
    LIMIT: 5,
    VERBOSE: false,
    SERVERS: undefined,
    PASSWORD: undefined,
  });
});

test('an empty variable is the same as none', () => {
  assert.equal(readSettings(TABLE, { DATA_PORT: '' }).DATA_PORT, 9991);
});

test('hosts are read with and without a port, several at once, IPv6 in brackets', () => {
  assert.deepEqual(readSettings(TABLE, { SERVERS: 'a, b:1,[::1]:22' }).SERVERS, [
    { host: 'a', port: 11_211 },
    { host: 'b', port: 1 },
    { host: '::1', port: 22 },
  ]);
});

const REFUSED: readonly [name: string, value: string, message: RegExp][] = [
  ['DATA_PORT', 'abc', /^DATA_PORT: "abc" is not accepted: expected a port number from 0 to 65535$/],
  ['DATA_PORT', '65536', /65535$/],
  ['DATA_PORT', '-1', /^DATA_PORT: "-1"/],
  ['DATA_PORT', '1e3', /^DATA_PORT: "1e3"/],
  ['DATA_PORT', ' 80', /^DATA_PORT: " 80"/],
  ['BACKEND', 'tape', /^BACKEND: "tape" is not accepted: expected disk or memcached$/],
  ['LIMIT', '0', /^LIMIT: "0" is not accepted: expected a whole number from 1 to 10 \(milliseconds\)$/],
  ['VERBOSE', 'yes', /^VERBOSE: "yes" is not accepted: expected true or false$/],
  ['SERVERS', 'a:b', /^SERVERS: "a:b" is not accepted \("a:b" is no host:port\): expected host:port/],
  ['SERVERS', 'a,,b', /^SERVERS: "a,,b" is not accepted/],
  ['SERVERS', 'a:70000', /^SERVERS/],
];

for (const [name, value, message] of REFUSED) {
  test(`${name}=${JSON.stringify(value)} is refused by name`, () => {
    assert.throws(() => readSettings(TABLE, { [name]: value }), { name: 'SettingsError', message });
  });
}

test('everything that is wrong is reported at once', () => {
  assert.throws(
    () => readSettings(TABLE, { DATA_PORT: 'x', BACKEND: 'y' }),
    (err: unknown) => err instanceof SettingsError && err.problems.length === 2,
  );
});

test('NAME_FILE gives the content of a file, without its last line end', async t => {
  const file = path.join(await temporaryFolder(t), 'secret');
  await writeFile(file, 'hush \n');
  assert.equal(readSettings(TABLE, { PASSWORD_FILE: file }).PASSWORD, 'hush ');
  assert.throws(
    () => readSettings(TABLE, { PASSWORD_FILE: file, PASSWORD: 'x' }),
    /PASSWORD and PASSWORD_FILE are both set/,
  );
});

test('a NAME_FILE that is missing or empty is refused by name', async t => {
  const file = path.join(await temporaryFolder(t), 'secret');
  assert.throws(
    () => readSettings(TABLE, { PASSWORD_FILE: file }),
    /^SettingsError: PASSWORD_FILE: cannot read ".*" \(ENOENT\)/,
  );
  await writeFile(file, '\n');
  assert.throws(() => readSettings(TABLE, { PASSWORD_FILE: file }), /PASSWORD_FILE: ".*" is empty/);
});

test('a refused secret is not shown', () => {
  const table = { KEY: secret(setting(integer(1, 2), '1', 'a secret')) } as const;
  assert.throws(
    () => readSettings(table, { KEY: 'hush' }),
    (err: Error) => !err.message.includes('hush'),
  );
});
