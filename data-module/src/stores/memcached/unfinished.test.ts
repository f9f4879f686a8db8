/** The notes of blobs that are coming or going, taken over, or impossible to make. */
import assert from 'node:assert/strict';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { generatedBytes } from '../../testing/generated-bytes.js';
import { countItems } from '../../testing/memcached-items.js';
import { startMemcachedModule } from '../../testing/memcached-module.js';

const MiB = 1024 * 1024;
const options = { skip: memcachedMissing };

/** A module with an upload that has sent half of its bytes; `assertRefused` sends the rest. */
async function halfWay(t: test.TestContext) {
  const server = { host: '127.0.0.1', port: (await startMemcached(t)).port };
  const module = await startMemcachedModule(t, [server.port]);
  const kept = await module.store.put(Readable.from(['kept']), 4);
  const items = await countItems([server]);
  const source = new PassThrough();
  source.on('error', () => source.destroy());
  const put = module.store.put(source, 4 * MiB);
  generatedBytes(1, 2 * MiB).pipe(source, { end: false });
  while ((await countItems([server])) === items) await sleep(10);
  const notes = path.join(module.env.DATA_DIR ?? '', 'data-memcached', 'unfinished');
  const assertRefused = async (): Promise<void> => {
    generatedBytes(2, 2 * MiB).pipe(source);
    await assert.rejects(put, err => isErrorType(err, 'ServiceUnavailable'));
    while ((await countItems([server])) !== items) await sleep(10);
  };
  return { server, module, kept, notes, assertRefused };
}

test(
  'an upload that a second module on the same folder has removed is not acknowledged',
  options,
  async t => {
    const { server, module, kept, notes, assertRefused } = await halfWay(t);
    const second = await startMemcachedModule(t, [server.port], { DATA_DIR: module.env.DATA_DIR });
    await assertRefused();
    assert.equal(await second.store.stat(kept), 4);
    while ((await readdir(notes)).length > 0) await sleep(10);
  },
);

test('an upload that a second module is about to remove is not acknowledged either', options, async t => {
  const { notes, assertRefused } = await halfWay(t);
  const [note = ''] = await readdir(notes);
  await rename(path.join(notes, note), path.join(notes, note.replace('coming', 'going')));
  await assertRefused();
});

test(
  'without its folder the module stores and deletes nothing, says so, and still reads',
  options,
  async t => {
    const server = { host: '127.0.0.1', port: (await startMemcached(t)).port };
    const { store, env } = await startMemcachedModule(t, [server.port]);
    const key = await store.put(Readable.from(['kept']), 4);
    const items = await countItems([server]);
    await rm(path.join(env.DATA_DIR ?? '', 'data-memcached'), { recursive: true });
    for (const call of [store.put(generatedBytes(1, MiB), MiB), store.delete(key)]) {
      await assert.rejects(call, err => {
        assert.ok(isErrorType(err, 'ServiceUnavailable'), String(err));
        assert.match(err.message, /unfinished cannot be used \(ENOENT\)/);
        return true;
      });
    }
    assert.equal(await store.stat(key), 4);
    assert.equal(await countItems([server]), items);
  },
);

test(
  'a note of before the system was started removes no upload, which may have been acknowledged',
  options,
  async t => {
    const server = { host: '127.0.0.1', port: (await startMemcached(t)).port };
    const { store, env } = await startMemcachedModule(t, [server.port]);
    const [acknowledged, deleted] = [
      await store.put(Readable.from(['kept']), 4),
      await store.put(Readable.from(['gone']), 4),
    ];
    const notes = path.join(env.DATA_DIR ?? '', 'data-memcached', 'unfinished');
    await writeFile(path.join(notes, `${acknowledged}.1.coming.0a-1b`), '');
    await writeFile(path.join(notes, `${deleted}.1.going.0a-1b`), '');
    const { store: later } = await startMemcachedModule(t, [server.port], { DATA_DIR: env.DATA_DIR });
    while ((await readdir(notes)).length > 0) await sleep(10);
    assert.equal(await later.stat(acknowledged), 4);
    await assert.rejects(later.stat(deleted), err => isErrorType(err, 'ObjNotFound'));
  },
);
