import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { BlobClient } from '../data/blob-client.js';
import { keysNamedIn } from '../data/blob-references.js';
import { LogWindow } from '../metadata/log-window.js';
import { MetadataClient } from '../metadata/metadata-client.js';
import { PARTITIONS } from '../partitioned-lines.js';
import { DataUnderTest } from '../testing/data-under-test.js';
import { MetadataUnderTest } from '../testing/metadata-under-test.js';
import { type Environment, eventsOf, runTool } from '../testing/run-tool.js';
import { listBoth, orphansIn } from './find-orphans.js';

interface Both {
  readonly metadata: MetadataUnderTest;
  readonly data: DataUnderTest;
  readonly env: Environment;
}

async function start(t: TestContext, dataEnv: Environment = {}): Promise<Both> {
  const [metadata, data] = await Promise.all([MetadataUnderTest.start(t), DataUnderTest.start(t, dataEnv)]);
  return { metadata, data, env: { ...metadata.env, ...data.env } };
}

const object = (...keys: string[]): object => ({ location: keys.map(key => ({ key, size: 1, start: 0 })) });
const part = (key: string): object => ({ partLocations: [{ key, dataStoreName: 'file' }] });
const blobsOf = (stdout: string, event: string): unknown[] => eventsOf(stdout, event).map(({ blob }) => blob);

test('blobs named by objects, versions, parts of uploads and encrypted objects are no orphans', async t => {
  const { metadata, data, env } = await start(t);
  const keys = await Promise.all(Array.from({ length: 6 }, (_, n) => data.putOld(`blob ${n}`)));
  const [a = '', b = '', c = '', d = '', e = '', f = ''] = keys;
  await metadata.put('b', 'plain', object(a));
  await metadata.put('b', 'versioned', object(b), { versioning: true });
  await metadata.put('b', 'versioned', object(c), { versioning: true });
  await metadata.put('mpuShadowBucketb', 'id..|..00001', part(d));
  await metadata.put('b', 'encrypted', { location: [{ key: e, size: 1, start: 0, cryptoScheme: 1 }] });
  await metadata.put('b', 'old form', { location: f });
  const { code, stdout, stderr } = await runTool(t, ['orphans', '--json', '--remove'], env);
  assert.equal(code, 0, stdout + stderr);
  for (const key of keys) assert.ok(await data.has(key));
});

test('orphans are named, and removed only when told, and only those that are old enough', async t => {
  const { metadata, data, env } = await start(t);
  const named = await Promise.all(Array.from({ length: 5 }, () => data.putOld('named')));
  await metadata.put('b', 'k', object(...named));
  const [orphan, younger, young] = await Promise.all([data.putOld('x'), data.putOld('y', 5), data.put('z')]);
  const first = await runTool(t, ['orphans', '--json'], env);
  assert.equal(first.code, 1, first.stderr);
  assert.deepEqual(blobsOf(first.stdout, 'orphan'), [orphan]);
  assert.ok(await data.has(orphan));
  const second = await runTool(t, ['orphans', '--remove'], env);
  assert.equal(second.code, 1);
  assert.match(
    second.stdout,
    /8 blobs: 0 missing, 1 named nowhere, 1 of them removed; 2 more are younger than 24 h/,
  );
  assert.deepEqual(
    [await data.has(orphan), await data.has(younger), await data.has(young)],
    [false, true, true],
  );
  const third = await runTool(t, ['orphans', '--remove', '--older-than', '4'], env);
  assert.equal(third.code, 1);
  assert.deepEqual([await data.has(younger), await data.has(young)], [false, true]);
  const fourth = await runTool(t, ['orphans', '--remove'], env);
  assert.equal(fourth.code, 0, fourth.stdout);
  for (const key of named) assert.ok(await data.has(key));
});

test('a location whose blob is missing is named with what names it', async t => {
  const { metadata, data, env } = await start(t);
  const [lost, kept, elsewhere] = [await data.put('lost'), await data.put('kept'), 'ab'.repeat(20)];
  const versionId = await metadata.put('b', 'k', object(kept, lost), { versioning: true });
  await metadata.put('mpuShadowBucketb', 'id..|..00001', part(lost));
  await metadata.put('b', 'cloud', { location: [{ key: elsewhere, dataStoreType: 'aws_s3' }] });
  assert.equal((await runTool(t, ['orphans'], env)).code, 0);
  await data.lose(lost);
  const { code, stdout } = await runTool(t, ['orphans', '--json'], env);
  assert.equal(code, 1);
  const missing = eventsOf(stdout, 'missing').map(({ database, key, versionId: id, blob }) => [
    database,
    key,
    id,
    blob,
  ]);
  assert.deepEqual(
    missing.sort(),
    [
      ['b', 'k', undefined, lost],
      ['b', 'k', versionId, lost],
      ['mpuShadowBucketb', 'id..|..00001', undefined, lost],
    ].sort(),
  );
});

/** Clients in this process, as the verb has them. */
async function connect(
  t: TestContext,
  { env }: Both,
): Promise<{ metadata: MetadataClient; data: BlobClient; log: LogWindow }> {
  const { signal } = new AbortController();
  const at = (port: string | undefined): { host: string; port: number; signal: AbortSignal } => ({
    host: '127.0.0.1',
    port: Number(port),
    signal,
  });
  const [metadata, data, log] = await Promise.all([
    MetadataClient.connect(at(env.METADATA_PORT)),
    BlobClient.connect(at(env.DATA_PORT)),
    LogWindow.open({ verb: 'orphans', from: 'now', ...at(env.METADATA_PORT) }),
  ]);
  t.after(async () => {
    await log.close();
    metadata.close();
    data.close();
  });
  return { metadata, data, log };
}

test('a reference that moves behind the listing, so that no listing shows it, is found in the record log', async t => {
  const both = await start(t);
  const { metadata, data } = both;
  const blob = await data.putOld('moving');
  await metadata.put('mpuShadowBucketb', 'part', part(blob));
  await metadata.put('b', 'other', object());
  const clients = await connect(t, both);
  const shown: string[] = [];
  const watched = {
    databases: () => clients.metadata.databases(),
    get: (...args: Parameters<MetadataClient['get']>) => clients.metadata.get(...args),
    async *entries(database: string) {
      // Between the two listings the upload is completed: the first one came too early, the second one comes too late.
      if (database === 'mpuShadowBucketb') {
        await metadata.put('b', 'k', object(blob));
        await metadata.call('mpuShadowBucketb', 'del', 'part', {});
      }
      for await (const entry of clients.metadata.entries(database)) {
        shown.push(...keysNamedIn(entry.value));
        yield entry;
      }
    },
  };
  const folder = await temporaryFolder(t);
  const silent = { onStep: () => undefined, onMissing: () => undefined };
  const listed = await listBoth({ ...clients, ...silent, metadata: watched, folder });
  assert.deepEqual(shown, [], 'the listings show it nowhere');
  for (let partition = 0; partition < PARTITIONS; partition += 1)
    assert.deepEqual(await orphansIn(listed, partition), []);
});

test('a blob that comes to be named right before it is removed stays', async t => {
  const { metadata, data, env } = await start(t);
  const [orphan, named] = [await data.putOld('orphan'), await data.putOld('named')];
  // The age of a blob is the last that is asked before it goes.
  const proxy = http.createServer((req, res) => {
    const forward = async (): Promise<void> => {
      if (req.url === `/DataFile/${named}?storedAt`) await metadata.put('b', 'k', object(named));
      const url = `http://127.0.0.1:${env.DATA_PORT ?? ''}${req.url ?? ''}`;
      const answer = await fetch(url, { method: req.method ?? 'GET' });
      res.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
    };
    forward().catch((err: unknown) => res.destroy(err instanceof Error ? err : undefined));
  });
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve));
  t.after(() => proxy.close());
  const { port } = proxy.address() as AddressInfo;
  const args = ['orphans', '--remove', '--force', '--json'];
  const { code, stdout, stderr } = await runTool(t, args, { ...env, DATA_PORT: String(port) });
  assert.equal(code, 1, stderr);
  assert.deepEqual(blobsOf(stdout, 'orphan'), [orphan]);
  assert.deepEqual([await data.has(orphan), await data.has(named)], [false, true]);
});

test('metadata that names hardly any of the blobs is not taken for theirs', async t => {
  const { metadata, data, env } = await start(t);
  const keys = await Promise.all(Array.from({ length: 5 }, () => data.putOld('x')));
  await metadata.put('b', 'k', object(keys[0] ?? ''));
  const { code, stderr } = await runTool(t, ['orphans', '--remove'], env);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /4 of 5 blobs are named nowhere: is this the metadata module of this data module\? Nothing was removed/,
  );
  for (const key of keys) assert.ok(await data.has(key));
  assert.equal((await runTool(t, ['orphans', '--remove', '--force'], env)).code, 1);
  assert.deepEqual(await Promise.all(keys.map(key => data.has(key))), [true, false, false, false, false]);
});

test('blobs of a store that cannot tell when they were stored are left alone', async t => {
  const store = path.join(await temporaryFolder(t), 'store.mjs');
  await writeFile(
    store,
    `const blobs = new Map();
    export default { name: 'undated', settings: {}, open: async ({ tools }) => ({
      put: async source => {
        const key = tools.newBlobKey();
        blobs.set(key, Buffer.concat(await source.toArray()));
        return key;
      },
      stat: async key => blobs.get(key).length,
      delete: async key => void blobs.delete(key),
      keys: () => blobs.keys(),
      diskUsage: async () => ({ available: 1e9, free: 1e9, total: 1e9 }),
      ping: async () => undefined,
      close: async () => undefined,
    }) };`,
  );
  const { data, env } = await start(t, { DATA_BACKEND: store });
  const key = await data.put('x');
  const { code, stdout, stderr } = await runTool(t, ['orphans', '--remove', '--force'], env);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /of 1 more the store cannot tell when they were stored: left alone/);
  assert.ok(await data.has(key));
});

test('a key that belongs to no database hides no database, and nothing is removed with it: it may name a blob', async t => {
  const { metadata, data, env } = await start(t);
  const key = await data.putOld('x');
  await metadata.put('b', 'k', object(key));
  // One without the end of a database's name, and one whose first byte is a bit away from that of all others.
  await metadata.damage([
    { type: 'put', key: '!a', value: '{}' },
    { type: 'put', key: 'ab!k', value: '{}' },
  ]);
  const both = { ...env, ...metadata.env };
  const listed = await runTool(t, ['ls'], both);
  assert.equal(listed.code, 1, listed.stderr);
  assert.equal(
    listed.stdout,
    'the key "!a" belongs to no database\nb\nthe key "ab!k" belongs to no database\n',
  );
  const { code, stderr } = await runTool(t, ['orphans', '--remove', '--force'], both);
  assert.equal(code, 2);
  assert.match(stderr, /the key "!a", which belongs to no database/);
  assert.ok(await data.has(key));
});

test('with a module away, or an age that is too young, it ends with 2 and removes nothing', async t => {
  const { data, env } = await start(t);
  const key = await data.putOld('x');
  const away = await runTool(t, ['orphans', '--remove', '--force'], { ...env, METADATA_PORT: '1' });
  assert.equal(away.code, 2);
  assert.match(away.stderr, /cannot reach the metadata module/);
  const noData = await runTool(t, ['orphans'], { ...env, DATA_PORT: '1' });
  assert.equal(noData.code, 2);
  assert.match(noData.stderr, /cannot reach the data module at 127\.0\.0\.1:1/);
  const young = await runTool(t, ['orphans', '--remove', '--force', '--older-than', '0'], env);
  assert.equal(young.code, 2);
  assert.match(young.stderr, /at least 1/);
  assert.ok(await data.has(key));
});
