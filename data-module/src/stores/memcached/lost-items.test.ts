/** Blobs that lost a part: an error before the first byte, a broken answer after it, never other bytes. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { buffer } from 'node:stream/consumers';
import { isErrorType } from '@zenko-modules/common/errors';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { generatedBuffer, generatedBytes } from '../../testing/generated-bytes.js';
import { askMemcached } from '../../testing/memcached-items.js';
import { startMemcachedModule } from '../../testing/memcached-module.js';
import { connectRaw } from '../../testing/raw-http.js';
import { chunkKey, manifestKey } from './item-keys.js';

const CHUNK = 50_000;
const SIZE = 40 * CHUNK + 7;
const options = { skip: memcachedMissing };

async function filled(t: test.TestContext) {
  const server = { host: '127.0.0.1', port: (await startMemcached(t)).port };
  const module = await startMemcachedModule(t, [server.port], { MEMCACHED_CHUNK_BYTES: String(CHUNK) });
  const key = await module.store.put(generatedBytes(1, SIZE), SIZE);
  const lose = async (item: string): Promise<void> => {
    assert.match(await askMemcached(server, `delete ${item}`, /\r\n$/), /^DELETED/);
  };
  const change = async (item: string, value: string): Promise<void> => {
    const command = `set ${item} 0 0 ${value.length}\r\n${value}`;
    assert.match(await askMemcached(server, command, /\r\n$/), /^STORED/);
  };
  return { ...module, key, lose, change };
}

test('a blob without its manifest is ObjNotFound', options, async t => {
  const { store, key, lose } = await filled(t);
  await lose(manifestKey(key));
  await assert.rejects(store.get(key), err => isErrorType(err, 'ObjNotFound'));
  await assert.rejects(store.stat(key), err => isErrorType(err, 'ObjNotFound'));
  await assert.rejects(store.delete(key), err => isErrorType(err, 'ObjNotFound'));
});

test('a blob that lost its first chunk is an InternalError that names the chunk', options, async t => {
  const { store, key, lose } = await filled(t);
  await lose(chunkKey(key, 0));
  await assert.rejects(store.get(key), err => {
    assert.ok(isErrorType(err, 'InternalError'));
    assert.match(err.message, new RegExp(`chunk 0 of 41 of blob ${key} is lost`));
    return true;
  });
  // A range that does not touch the chunk is still whole.
  const range = { start: CHUNK, end: SIZE - 1 };
  const bytes = await generatedBuffer(1, SIZE);
  assert.ok((await buffer(await store.get(key, range))).equals(bytes.subarray(CHUNK)));
  await assert.rejects(store.get(key, { start: CHUNK - 1, end: CHUNK }), err =>
    isErrorType(err, 'InternalError'),
  );
  await store.delete(key);
});

test('a blob that lost a later chunk is cut off there: a true beginning, and no end', options, async t => {
  const { port, key, lose } = await filled(t);
  const bytes = await generatedBuffer(1, SIZE);
  await lose(chunkKey(key, 30));
  const connection = connectRaw(port);
  connection.write(`GET /DataFile/${key} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const answer = Buffer.from(await connection.closed, 'latin1');
  const body = answer.subarray(answer.indexOf('\r\n\r\n') + 4);
  assert.match(answer.toString('latin1'), new RegExp(`^HTTP/1.1 200 [^]*Content-Length: ${SIZE}`, 'i'));
  assert.ok(body.length <= 30 * CHUNK, `${body.length} bytes`);
  assert.ok(body.equals(bytes.subarray(0, body.length)));
});

test('an item that is not what was stored is an InternalError, never passed on', options, async t => {
  const { store, key, change } = await filled(t);
  await change(chunkKey(key, 0), 'x'.repeat(CHUNK + 8));
  await assert.rejects(store.get(key), err => isErrorType(err, 'InternalError'));
  await change(manifestKey(key), '{"version":1,"size":5,"chunkSize":5}');
  await assert.rejects(store.get(key), err => isErrorType(err, 'InternalError'));
  await assert.rejects(store.delete(key), err => isErrorType(err, 'InternalError'));
});

test('when memcached was restarted its blobs are ObjNotFound, and new ones are kept', options, async t => {
  const server = await startMemcached(t);
  const { store } = await startMemcachedModule(t, [server.port]);
  const before = await store.put(generatedBytes(1, SIZE), SIZE);
  await server.stop('SIGKILL');
  await startMemcached(t, { port: server.port });
  await assert.rejects(store.get(before), err => isErrorType(err, 'ObjNotFound'));
  const after = await store.put(generatedBytes(1, SIZE), SIZE);
  assert.ok((await buffer(await store.get(after))).equals(await generatedBuffer(1, SIZE)));
});

test('when one server of three was restarted no read gives other bytes', options, async t => {
  const servers = [await startMemcached(t), await startMemcached(t), await startMemcached(t)] as const;
  const ports = servers.map(({ port }) => port);
  const { store } = await startMemcachedModule(t, ports, { MEMCACHED_CHUNK_BYTES: String(CHUNK) });
  const keys = await Promise.all(
    Array.from({ length: 12 }, (_, i) => store.put(generatedBytes(i, SIZE), SIZE)),
  );
  await servers[1].stop('SIGKILL');
  await startMemcached(t, { port: servers[1].port });
  for (const key of keys) {
    const read = store.get(key).then(stream => buffer(stream));
    await assert.rejects(read, err => {
      // Cut in the midst, when the first chunk was on another server.
      const cut = err instanceof Error && 'code' in err && err.code === 'ECONNRESET';
      return cut || isErrorType(err, 'ObjNotFound', 'InternalError');
    });
  }
});
