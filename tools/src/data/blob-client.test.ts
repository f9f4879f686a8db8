import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { BlobClient } from './blob-client.js';

/** A data module whose bodies stand still after their first bytes. */
async function startStalling(t: TestContext): Promise<number> {
  const server = http.createServer((req, res) => {
    if (req.url === '/DataFile?diskUsage') return void res.end('{}');
    res.writeHead(200, { 'content-length': 1_000_000 });
    return void res.write(req.url === '/DataFile?keys' ? 'ab\n' : '{"a":');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function drain(pieces: AsyncIterable<unknown> | undefined): Promise<void> {
  assert.ok(pieces);
  for await (const piece of pieces) assert.ok(piece);
}

test('a body that stands still fails every call that reads it', { timeout: 30_000 }, async t => {
  const port = await startStalling(t);
  const { signal } = new AbortController();
  const client = await BlobClient.connect({ host: '127.0.0.1', port, signal, answerMs: 200 });
  t.after(() => client.close());
  const isAway = (err: unknown): boolean => isErrorType(err, 'ServiceUnavailable');
  await assert.rejects(async () => drain(await client.get('ab')), isAway);
  await assert.rejects(async () => drain(await client.keys()), isAway);
  await assert.rejects(client.ageOf('ab'), isAway);
  await assert.rejects(client.delete('ab'), isAway);
});
