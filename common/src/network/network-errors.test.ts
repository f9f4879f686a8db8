import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import { isNetworkError } from './network-errors.js';

test('what a socket says of a connection that ends is an error of the network, other errors of the system are none', async t => {
  const server = net.createServer({ allowHalfOpen: true });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const connect = async (): Promise<[mine: net.Socket, others: net.Socket]> => {
    const [mine, [others]] = await Promise.all([
      Promise.resolve(net.connect(port, '127.0.0.1')),
      once(server, 'connection') as Promise<[net.Socket]>,
    ]);
    others.on('error', () => undefined);
    t.after(() => [mine, others].forEach(socket => socket.destroy()));
    return [mine.resume(), others];
  };

  const [ended, itsOther] = await connect();
  const said = once(ended, 'error');
  ended.once('end', () => {
    ended.end(); // as it does by itself a moment later
    ended.write('late');
  });
  itsOther.end();
  const [epipe] = (await said) as [NodeJS.ErrnoException];
  assert.equal(epipe.code, 'EPIPE');

  const [reset, resetting] = await connect();
  const saidOfReset = once(reset, 'error');
  resetting.resetAndDestroy();
  const [econnreset] = (await saidOfReset) as [NodeJS.ErrnoException];
  assert.equal(econnreset.code, 'ECONNRESET');

  for (const err of [epipe, econnreset]) assert.ok(isNetworkError(err), err.message);
  assert.ok(!isNetworkError(Object.assign(new Error('no such file'), { code: 'ENOENT' })));
});
