import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { test } from 'node:test';
import { askProbe } from './ask-probe.js';
import { healthOf } from './status/peers.js';

/** Ports that `fetch` refuses; the processor's default is another one. */
const REFUSED_BY_FETCH = [10080, 6697, 6669, 6668, 6667, 6666, 6665, 6566, 5061, 5060, 4190];

async function listenOnRefused(server: http.Server): Promise<number> {
  for (const port of REFUSED_BY_FETCH) {
    const listening = once(server, 'listening');
    server.listen(port, '127.0.0.1');
    if (
      await listening.then(
        () => true,
        () => false,
      )
    )
      return port;
  }
  return assert.fail('none of these ports is free');
}

test('a part is asked on any port, also on one that browsers refuse', async t => {
  const server = http.createServer((_req, res) => res.end('{"status":"ready"}'));
  t.after(() => server.close());
  const port = await listenOnRefused(server);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
  assert.deepEqual(await healthOf({ name: 'processor', host: '127.0.0.1', port }), {
    isReady: true,
    text: 'ready',
  });
});

test('who does not answer, or not to the end, is given up', async t => {
  const server = http.createServer((req, res) => {
    if (req.url === '/half') res.write('half');
  });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  for (const path of ['/nothing', '/half'])
    await assert.rejects(askProbe(`http://127.0.0.1:${port}${path}`, 200));
});
