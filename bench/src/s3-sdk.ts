/**
 * What the AWS SDK itself takes for the rows of `s3.ts`: the same calls to a server that has every answer ready.
 * `node bench/dist/s3-sdk.js`. No front can be faster through it than this.
 */
import { S3Client } from '@aws-sdk/client-s3';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { AT_ONCE, Bucket, connection, get, KIB, PAGE, page, put } from './s3-operations.js';
import { forSeconds } from './versus/turns.js';

const SECONDS = 3;
const ETAG = '"d2ca3b9f5b3bbeb5f3c0e2a5d6a5ec26"';

function listing(): string {
  const contents = Array.from(
    { length: PAGE },
    (_, n) =>
      `<Contents><Key>page/${n}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>${ETAG}</ETag><Size>${KIB.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${Bucket}</Name><Prefix>page/</Prefix><KeyCount>${PAGE}</KeyCount><MaxKeys>${PAGE}</MaxKeys><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`;
}

/** In a thread of its own, as a front is in a process of its own. */
async function serve(): Promise<void> {
  const xml = listing();
  const server = http.createServer((req, res) => {
    const answer = req.method === 'PUT' ? '' : (req.url ?? '').includes('list-type') ? xml : KIB;
    req.resume().on('end', () => {
      res.writeHead(200, { ETag: ETAG, 'Content-Length': answer.length }).end(answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  parentPort?.postMessage((server.address() as AddressInfo).port);
}

async function measure(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  const [port] = (await once(worker, 'message')) as [number];
  const s3 = new S3Client(connection(`http://127.0.0.1:${port}`));
  const rows = {
    [`1 KiB PUT, ${AT_ONCE} at once`]: () => forSeconds(SECONDS, AT_ONCE, n => put(s3, `put/${n}`)),
    [`1 KiB GET, ${AT_ONCE} at once`]: () => forSeconds(SECONDS, AT_ONCE, n => get(s3, n)),
    [`page of ${PAGE}`]: () => forSeconds(SECONDS, 1, () => page(s3)),
  };
  try {
    for (const run of Object.values(rows)) await run();
    for (const [name, run] of Object.entries(rows)) {
      const started = performance.now();
      const operations = await run();
      const perSecond = (operations * 1000) / (performance.now() - started);
      console.log(`${name.padEnd(30)} | ${perSecond.toFixed(0)}/s at most`);
    }
  } finally {
    s3.destroy();
    await worker.terminate();
  }
}

await (isMainThread ? measure() : serve());
