/** An S3 cluster without room: uploads fail and leave nothing, what is there can be read and deleted, and then there is room again. */
import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { digestOf, generatedBytes } from '../../testing/generated-bytes.js';
import { eventually } from '../../testing/harmed-transfers.js';
import { motoMissing as skip, newBucket, sharedMoto } from '../../testing/moto-server.js';
import { S3Store } from './s3-store.js';
import { s3Options } from './testing/s3-options.js';

const PART = 100_000;
const SIZE = 4 * PART;

interface FullProxy {
  readonly port: number;
  /** Requests that write and still find room. */
  room: number;
}

/** A proxy before the S3 at `target`, which answers writes in its place when there is no room. */
async function startFullProxy(
  t: TestContext,
  target: number,
  answer: { readonly status: number; readonly code: string | undefined },
): Promise<FullProxy> {
  const state = { room: Infinity };
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((req, res) => {
    const writes = req.method === 'PUT' || req.method === 'POST';
    if (writes && --state.room < 0) {
      const body =
        answer.code === undefined
          ? ''
          : `<Error><Code>${answer.code}</Code><Message>no room</Message></Error>`;
      req
        .resume()
        .once('end', () => res.writeHead(answer.status, { 'content-type': 'application/xml' }).end(body));
      return;
    }
    const { method, url, headers } = req;
    const passed = http.request({ port: target, method, path: url, headers, agent }, from => {
      res.writeHead(from.statusCode ?? 500, from.headers);
      from.pipe(res);
    });
    passed.on('error', () => res.destroy());
    req.pipe(passed);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
    agent.destroy();
  });
  return Object.assign(state, { port: (server.address() as AddressInfo).port });
}

/** How clusters say so. */
const ANSWERS = [
  { status: 507, code: 'InsufficientStorage' },
  { status: 507, code: 'XMinioStorageFull' },
  { status: 403, code: 'QuotaExceeded' },
  { status: 507, code: undefined },
] as const;

for (const answer of ANSWERS)
  test(
    `a cluster that answers ${answer.status} ${answer.code ?? 'without a body'} takes no blob, and keeps nothing of it`,
    { skip },
    async t => {
      const { port } = await sharedMoto();
      const bucket = await newBucket(t, port);
      const proxy = await startFullProxy(t, port, answer);
      const place = { ...bucket, endpoint: `http://127.0.0.1:${proxy.port}` };
      const store = new S3Store(s3Options(place, { partBytes: PART }));
      t.after(() => store.close());
      const kept = await store.put(generatedBytes(1, SIZE), SIZE);
      const isFull = (err: unknown): boolean => {
        assert.ok(isErrorType(err, 'ServiceUnavailable'), String(err));
        assert.match(err.message, /is full/);
        return true;
      };
      // The room ends at the first request of an upload, at one of its parts, or when it is completed.
      for (const room of [0, 2, 5]) {
        proxy.room = room;
        await assert.rejects(store.put(generatedBytes(2, SIZE), SIZE), isFull, `room for ${room}`);
      }
      proxy.room = 0;
      await assert.rejects(store.put(generatedBytes(2, 10), 10), isFull);
      await assert.rejects(store.ping(), isFull);
      assert.deepEqual(await digestOf(await store.get(kept)), await digestOf(generatedBytes(1, SIZE)));
      await eventually('nothing of them is left', async () => (await bucket.count()) === 1);
      await store.delete(kept);
      proxy.room = Infinity;
      await store.put(generatedBytes(3, SIZE), SIZE);
    },
  );
