import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import test from 'node:test';
import { type Response } from 'memjs';
import { silentLogger } from '../logger.js';
import { seededRandom } from '../testing/random.js';
import { FramedServer } from './framed-server.js';
import { MemcachedClient } from './memcached-client.js';
import { MemcachedError } from './memcached-error.js';

/** An answer to request `opaque`, as memcached sends it. */
function answerTo(opaque: number, value: Buffer): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt8(0x81, 0);
  header.writeUInt32BE(value.length, 8);
  header.writeUInt32BE(opaque, 12);
  return Buffer.concat([header, value]);
}

test('answers are the same however they are cut into packets', t => {
  const random = seededRandom(t);
  const values = [0, 1, 23, 24, 25, 5000, 0, 70_000].map(size => randomBytes(size));
  const bytes = Buffer.concat(values.map((value, opaque) => answerTo(opaque, value)));
  for (const largest of [1, 7, 48, 3000, bytes.length]) {
    const server = new FramedServer('127.0.0.1', 1);
    const got: Buffer[] = [];
    for (const opaque of values.keys()) {
      server.onResponse(opaque, (response: Response) => {
        got[response.header.opaque] = Buffer.from(response.val);
      });
    }
    for (let at = 0; at < bytes.length;) {
      const size = random.integer(1, largest);
      server.responseHandler(bytes.subarray(at, at + size));
      at += size;
    }
    assert.equal(got.length, values.length);
    for (const [i, value] of values.entries())
      assert.ok(got[i]?.equals(value), `answer ${i} in packets up to ${largest}`);
  }
});

const NO_ANSWERS: Readonly<Record<string, Buffer>> = {
  'random bytes': randomBytes(1000).fill(0x33, 0, 1),
  'an error in text': Buffer.from('ERROR\r\nERROR too long for a header\r\n'),
  'a request': Buffer.concat([Buffer.of(0x80), Buffer.alloc(23)]),
  'an answer without end': answerTo(1, Buffer.alloc(0)).fill(0xff, 8, 12),
  'a key longer than the body': answerTo(1, Buffer.alloc(0)).fill(0x01, 2, 4),
};

test('a server that does not speak the protocol is UNAVAILABLE at once', async t => {
  for (const [name, bytes] of Object.entries(NO_ANSWERS)) {
    const server = net.createServer(socket => {
      socket.on('error', () => socket.destroy());
      socket.once('data', () => socket.write(bytes));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const client = new MemcachedClient({
      servers: [{ host: '127.0.0.1', port: (server.address() as net.AddressInfo).port }],
      deadlineMs: 60_000,
      maxInFlightPerServer: 1,
      log: silentLogger(),
    });
    t.after(() => client.close());
    await assert.rejects(client.get('key'), err => {
      assert.ok(err instanceof MemcachedError && err.code === 'UNAVAILABLE', name);
      assert.match(err.message, /no answer/, name);
      return true;
    });
  }
});
