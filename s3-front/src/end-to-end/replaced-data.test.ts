/** Data that was replaced: it goes a moment later, also with a module that deletes one blob a call, and never too early. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import test, { type TestContext } from 'node:test';
import { once } from 'node:events';
import { sleep } from '@zenko-modules/common/deadline';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { sign } from '../testing/raw-request.js';
import { type S3Stack, startStack } from '../testing/s3-stack.js';
import { assertBlobs, storedBlobs } from '../testing/stored-blobs.js';

const Bucket = 'replaced';
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

async function named({ metadata }: S3Stack): Promise<string[]> {
  const keys: string[] = [];
  for await (const { value } of metadata.read(Bucket, {}, 'test')) {
    const { location } = JSON.parse(value) as { location: { key: string }[] | null };
    keys.push(...(location ?? []).map(({ key }) => key));
  }
  return keys;
}

test('a front that ends has deleted what was replaced; one that is killed leaves each object whole', async t => {
  const random = seededRandom(t);
  const stack = await startStack(t);
  const { s3, folder } = stack;
  await s3.createBucket({ Bucket });
  const replaceAll = async (text: string): Promise<void> => {
    await Promise.all(KEYS.map(Key => s3.putObject({ Bucket, Key, Body: `${text} ${Key}` })));
  };
  await replaceAll('first');
  for (let round = 0; round < 3; round += 1) {
    await replaceAll(`round ${round}`);
    await stack.kill('s3-front', 'SIGTERM');
    // No time to wait: it has ended.
    assert.deepEqual(new Set(await storedBlobs(folder)), new Set(await named(stack)));
    await stack.restart('s3-front');
  }
  let cut = 0;
  const isAlive = new AbortController();
  const writer = async (Key: string): Promise<void> => {
    for (let n = 0; !isAlive.signal.aborted; n += 1) {
      await s3.putObject({ Bucket, Key, Body: `${n} ${Key}` }).catch(() => (cut += 1));
    }
  };
  const writing = KEYS.map(writer);
  await sleep(random.integer(100, 400));
  isAlive.abort();
  await stack.kill('s3-front');
  await Promise.all(writing);
  await stack.restart('s3-front');
  const stored = new Set(await storedBlobs(folder));
  for (const key of await named(stack)) assert.ok(stored.has(key), `${key} is there`);
  for (const Key of KEYS) {
    const { Body } = await s3.getObject({ Bucket, Key });
    assert.match((await Body?.transformToString()) ?? '', new RegExp(` ${Key}$`));
  }
  t.diagnostic(`${cut} writes cut, ${stored.size - KEYS.length} blobs that nothing names`);
});

test('who reads an object gets all of it, whatever becomes of it meanwhile, and then its data goes', async t => {
  const stack = await startStack(t, { STOP_GRACE_MS: '8000' });
  const { s3, url, folder, metadata } = stack;
  await s3.createBucket({ Bucket });
  const Key = 'parts';
  // Larger than what lies between the data module and a reader that does not go on.
  const bodies = [randomBytes(24 * 1024 * 1024), randomBytes(24 * 1024 * 1024), randomBytes(1000)];
  const whole = Buffer.concat(bodies);
  const upload = async (): Promise<void> => {
    const { UploadId } = await s3.createMultipartUpload({ Bucket, Key });
    const Parts = await Promise.all(
      bodies.map(async (Body, at) => {
        const PartNumber = at + 1;
        const { ETag } = await s3.uploadPart({ Bucket, Key, UploadId, PartNumber, Body });
        return { PartNumber, ETag };
      }),
    );
    await s3.completeMultipartUpload({ Bucket, Key, UploadId, MultipartUpload: { Parts } });
  };
  /** Resolves when it has begun. */
  const reader = async (range?: string): Promise<http.IncomingMessage> => {
    const { headers, path } = await sign(url, {
      path: `/${Bucket}/${Key}`,
      headers: range === undefined ? {} : { range },
    });
    const request = http.get(url + path, { headers, agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    return response;
  };
  const readOn = async (response: http.IncomingMessage): Promise<Buffer> => {
    const read: Buffer[] = [];
    for await (const bytes of response) read.push(bytes as Buffer);
    return Buffer.concat(read);
  };
  const clean = async (): Promise<void> => assertBlobs(folder, await named(stack));
  const put = (key: string) => s3.putObject({ Bucket, Key: key, Body: 'new' });
  /** What is replaced before this is gone with it, but for what is read. */
  const settle = async (): Promise<void> => {
    await put('other');
    const old = (await metadata.getObject(Bucket, 'other', {}, 'test'))?.location?.[0]?.key;
    assert.ok(old);
    await put('other');
    while ((await storedBlobs(folder)).includes(old)) await sleep(5);
  };
  const changes = {
    overwritten: () => put(Key),
    deleted: () => s3.deleteObject({ Bucket, Key }),
    'deleted with others': () => s3.deleteObjects({ Bucket, Delete: { Objects: [{ Key }] } }),
  };
  for (const [name, change] of Object.entries(changes)) {
    await t.test(name, async () => {
      await upload();
      const all = await reader();
      const last = await reader(`bytes=${1024 * 1024}-`);
      const gone = await reader();
      await change();
      await settle();
      gone.destroy();
      assert.ok((await readOn(all)).equals(whole));
      assert.ok((await readOn(last)).equals(whole.subarray(1024 * 1024)));
      await clean();
    });
  }

  await t.test('a front that is told to end cuts readers off in time, and leaves nothing', async () => {
    await upload();
    const response = await reader();
    await put(Key);
    response.on('error', () => undefined);
    await stack.kill('s3-front', 'SIGTERM');
    assert.deepEqual(new Set(await storedBlobs(folder)), new Set(await named(stack)));
    await assert.rejects(readOn(response));
    await stack.restart('s3-front');
  });

  await t.test('one that is killed leaves the new object whole', async () => {
    await upload();
    const response = await reader();
    response.on('error', () => undefined);
    await put(Key);
    await stack.kill('s3-front');
    await stack.restart('s3-front');
    assert.equal(await (await s3.getObject({ Bucket, Key })).Body?.transformToString(), 'new');
  });
});

/** Passes all on to a data module but what only newer ones know, as CloudServer's own answers. */
async function olderModule(t: TestContext, port: number) {
  const seen = { refused: 0, deleted: 0 };
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((message, response) => {
    const { method = '', url = '', headers } = message;
    if (!['PUT', 'GET', 'HEAD', 'DELETE'].includes(method)) {
      seen.refused += 1;
      message.resume();
      response.writeHead(405).end('{"errorType":"MethodNotAllowed","errorMessage":"no"}\n');
      return;
    }
    if (method === 'DELETE') seen.deleted += 1;
    const passed = http.request({ port, method, path: url, headers, agent }, answer => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    message.pipe(passed);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
    agent.destroy();
  });
  return { seen, port: (server.address() as { port: number }).port };
}

test('a data module that deletes one blob a call is asked so, after it was asked once for many', async t => {
  let older: Awaited<ReturnType<typeof olderModule>> | undefined;
  const stack = await startStack(t, async port => {
    older = await olderModule(t, port('DATA_PORT'));
    return { DATA_PORT: String(older.port) };
  });
  assert.ok(older);
  const { s3, folder } = stack;
  await s3.createBucket({ Bucket });
  for (let round = 0; round < 3; round += 1) {
    await Promise.all(KEYS.map(Key => s3.putObject({ Bucket, Key, Body: `${round}` })));
    await assertBlobs(folder, await named(stack));
  }
  await s3.deleteObjects({ Bucket, Delete: { Objects: KEYS.map(Key => ({ Key })) } });
  assert.deepEqual(await storedBlobs(folder), []);
  assert.deepEqual(older.seen, { refused: 1, deleted: 3 * KEYS.length });
});
