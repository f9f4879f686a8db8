/** The module is killed in the midst of uploads and deletes: what was acknowledged holds, and nothing else stays. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { digestOf, generatedBytes } from '../../testing/generated-bytes.js';
import { HttpStore } from '../../testing/http-store.js';
import { askMemcached, countItems, listItems } from '../../testing/memcached-items.js';
import { chunkKey, manifestKey, SERVER_LIST_KEY } from './item-keys.js';

const MAIN = fileURLToPath(new URL('../../main.js', import.meta.url));
const CHUNK = 20_000;
const MAX_BYTES = 40 * CHUNK;
const ROUNDS = 6;
const CLIENTS = 8;
const SETTLE_MS = 60_000;

interface Stored {
  readonly seed: number;
  readonly size: number;
}

async function environment(t: test.TestContext, port: number) {
  return {
    DATA_PORT: '0',
    DATA_PROBE_PORT: '0',
    DATA_DIR: await temporaryFolder(t),
    DATA_BACKEND: 'memcached',
    MEMCACHED_HOSTS: `127.0.0.1:${port}`,
    MEMCACHED_CHUNK_BYTES: String(CHUNK),
    LOG_LEVEL: 'warn',
  };
}

/** The notes of all workers. */
async function notesUnder(dataDir: string): Promise<string[]> {
  const entries = await readdir(path.join(dataDir, 'data-memcached'), {
    recursive: true,
    withFileTypes: true,
  });
  return entries
    .filter(entry => entry.isFile() && path.basename(entry.parentPath).startsWith('unfinished'))
    .map(({ name }) => name);
}

// The last start has fewer workers than those before, or as many: the notes of all are taken over.
for (const [workers, inTheEnd] of [
  ['1', '1'],
  ['2', '1'],
] as const) {
  test(
    `after SIGKILL acknowledged blobs are whole, deleted ones gone, and the next start removes the rest: ${workers} workers`,
    { skip: memcachedMissing },
    t => killInTheMidst(t, workers, inTheEnd),
  );
}

async function killInTheMidst(t: test.TestContext, workers: string, inTheEnd: string): Promise<void> {
  const random = seededRandom(t);
  const { port } = await startMemcached(t);
  const env = { ...(await environment(t, port)), DATA_WORKERS: workers };
  const notes = (): Promise<string[]> => notesUnder(env.DATA_DIR);
  const stored = new Map<string, Stored>();
  /** Asked to be deleted, but killed before the answer: either there or not. */
  const unsure = new Map<string, Stored>();
  const deleted: string[] = [];
  let left = 0;
  let seed = random.seed;

  // On a busy machine clients may all be between two calls.
  for (let round = 0; round < ROUNDS || (left === 0 && round < 5 * ROUNDS); round += 1) {
    const daemon = await startDaemon(t, { entry: MAIN, env });
    const store = new HttpStore(daemon.ports.DATA_PORT ?? 0);
    const kill = new AbortController();
    const isAlive = (): boolean => !kill.signal.aborted;
    const upload = async (): Promise<void> => {
      const blob = { seed: (seed += 1), size: random.integer(0, MAX_BYTES) };
      stored.set(await store.put(generatedBytes(blob.seed, blob.size), blob.size), blob);
    };
    const remove = async (): Promise<void> => {
      const [found] = stored;
      if (found === undefined) return upload();
      const [key, blob] = found;
      stored.delete(key);
      unsure.set(key, blob);
      await store.delete(key);
      unsure.delete(key);
      deleted.push(key);
    };
    const clients = Array.from({ length: CLIENTS }, async () => {
      while (isAlive()) {
        try {
          await (random.integer(0, 2) === 0 ? remove() : upload());
        } catch (err) {
          if (isAlive()) throw err;
        }
      }
    });
    const done = stored.size + deleted.length;
    while (stored.size + deleted.length < done + 4 * CLIENTS) await sleep(5);
    await sleep(random.integer(0, 30));
    kill.abort();
    await daemon.kill('SIGKILL');
    await Promise.all(clients);
    await store.close();
    left += (await notes()).length;
  }
  assert.ok(left > 0, 'the kills hit uploads and deletes in their midst');

  const daemon = await startDaemon(t, { entry: MAIN, env: { ...env, DATA_WORKERS: inTheEnd } });
  const store = new HttpStore(daemon.ports.DATA_PORT ?? 0);
  for (const key of deleted) await assert.rejects(store.stat(key), err => isErrorType(err, 'ObjNotFound'));
  const deadline = Date.now() + SETTLE_MS;
  while ((await notes()).length > 0 && Date.now() < deadline) await sleep(50);
  assert.deepEqual(await notes(), []);
  for (const [key, blob] of unsure) {
    const isThere = await store.stat(key).then(
      () => true,
      (err: unknown) => !isErrorType(err, 'ObjNotFound'),
    );
    if (isThere) stored.set(key, blob);
  }
  for (const [key, { seed: from, size }] of stored)
    assert.deepEqual(await digestOf(await store.get(key)), await digestOf(generatedBytes(from, size)));
  const items = await listItems({ host: '127.0.0.1', port });
  const blobs = [...items].flatMap(item => /^zenko-data:([0-9a-f]+)$/.exec(item)?.[1] ?? []);
  // Complete, but killed before its sender could be told.
  const untold = blobs.filter(key => !stored.has(key));
  assert.ok(untold.length <= ROUNDS * CLIENTS);
  const expected = [SERVER_LIST_KEY];
  for (const key of blobs) {
    const { size } = await digestOf(await store.get(key));
    const chunks = Array.from({ length: Math.ceil(size / CHUNK) }, (_, index) => chunkKey(key, index));
    expected.push(manifestKey(key), ...chunks);
  }
  assert.deepEqual([...items].sort(), expected.sort());
  t.diagnostic(`${stored.size} stored, ${deleted.length} deleted, ${left} cut off, ${untold.length} untold`);
  await store.close();
  assert.deepEqual(await daemon.kill('SIGTERM'), { code: 0, signal: null });
}

test(
  'chunks of an upload that was cut off expire where its notes are lost with the folder',
  { skip: memcachedMissing },
  async t => {
    const server = { host: '127.0.0.1', port: (await startMemcached(t)).port };
    const daemon = await startDaemon(t, { entry: MAIN, env: await environment(t, server.port) });
    const store = new HttpStore(daemon.ports.DATA_PORT ?? 0);
    const source = new PassThrough();
    source.on('error', () => source.destroy());
    const put = store.put(source, 2 * MAX_BYTES);
    generatedBytes(1, MAX_BYTES).pipe(source, { end: false });
    while ((await countItems([server])) < 10) await sleep(50);
    const cut = assert.rejects(put);
    await daemon.kill('SIGKILL');
    await cut;
    await store.close();
    const chunks = [...(await listItems(server))].filter(item => item !== SERVER_LIST_KEY);
    assert.ok(chunks.length > 0);
    for (const item of chunks) {
      const answer = await askMemcached(server, `mg ${item} t`, /\r\n$/);
      assert.ok(Number(/^HD t(-?\d+)/.exec(answer)?.[1]) > 0, `${item}: ${answer}`);
    }
  },
);
