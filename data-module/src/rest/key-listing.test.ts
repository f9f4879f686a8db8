import assert from 'node:assert/strict';
import { rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { pino } from 'pino';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { startDataModule } from '../data-module.js';
import { DATA_SETTINGS } from '../data-settings.js';
import { blobFile } from '../stores/disk/disk-layout.js';

interface Module {
  readonly url: string;
  readonly folder: string;
  readonly put: (bytes: string) => Promise<string>;
  readonly keys: () => Promise<string[]>;
}

async function start(t: TestContext, backend: string, log = silentLogger()): Promise<Module> {
  const folder = await temporaryFolder(t);
  const env = {
    DATA_DIR: folder,
    DATA_PORT: '0',
    DATA_PROBE_PORT: '0',
    DATA_WORKERS: '1',
    DATA_BACKEND: backend,
  };
  const running = await startDataModule(readSettings(DATA_SETTINGS, env), log, env);
  t.after(() => running.close());
  const url = `http://127.0.0.1:${running.ports['DATA_PORT']}/DataFile`;
  return {
    url,
    folder,
    put: async body => {
      const answer = await fetch(url, { method: 'PUT', body });
      return String(answer.headers.get('location')).replace('/DataFile/', '');
    },
    keys: async () => (await (await fetch(`${url}?keys`)).text()).split('\n').filter(Boolean).sort(),
  };
}

for (const backend of ['disk', 'packed']) {
  test(`${backend}: the keys of all blobs, and when each was stored at the latest`, async t => {
    const { url, put, keys } = await start(t, backend);
    assert.deepEqual(await keys(), []);
    const before = Date.now() - 2000;
    const stored: string[] = [];
    for (let n = 0; n < 2500; n += 100)
      stored.push(...(await Promise.all(Array.from({ length: 100 }, (_, i) => put(`blob ${n + i}`)))));
    const large = await put('x'.repeat(2_000_000));
    assert.deepEqual(await keys(), [...stored, large].sort());
    for (const key of [stored[0] ?? '', large]) {
      const { storedAt } = (await (await fetch(`${url}/${key}?storedAt`)).json()) as { storedAt: number };
      assert.ok(storedAt >= before, `${storedAt} is after ${before}`);
    }
    await fetch(`${url}/${large}`, { method: 'DELETE' });
    assert.deepEqual(await keys(), [...stored].sort());
    assert.equal((await fetch(`${url}/${large}?storedAt`)).status, 404);
  });
}

test('disk: a blob is as old as its file', async t => {
  const { url, folder, put } = await start(t, 'disk');
  const key = await put('old');
  const time = new Date('2020-01-01T00:00:00Z');
  await utimes(blobFile(path.join(folder, 'data'), key), time, time);
  const answer = (await (await fetch(`${url}/${key}?storedAt`)).json()) as { storedAt: number; now: number };
  assert.equal(answer.storedAt, time.getTime());
  assert.ok(Math.abs(answer.now - Date.now()) < 60_000, 'it says what its own clock shows');
});

test('a listing that fails on its way is cut off, does not look whole, and its cause is logged', async t => {
  const logged: string[] = [];
  const log = pino({ level: 'error' }, { write: line => void logged.push(line) });
  const { folder, put, keys } = await start(t, 'disk', log);
  for (let n = 0; n < 1500; n += 100) await Promise.all(Array.from({ length: 100 }, () => put('x')));
  const last = path.join(folder, 'data', '3510');
  await rm(last, { recursive: true });
  await writeFile(last, 'no folder');
  await assert.rejects(keys());
  assert.match(logged.join(''), /request failed.*ENOTDIR|ENOTDIR.*request failed/);
});

test('other queries, and other methods, are refused', async t => {
  const { url } = await start(t, 'disk');
  for (const [method, query] of [
    ['GET', '/ab?keys'],
    ['GET', '?storedAt'],
    ['GET', '/xyz?storedAt'],
    ['PUT', '?keys'],
    ['DELETE', '/ab?storedAt'],
  ] as const) {
    assert.equal((await fetch(url + query, { method })).status, 400, `${method} ${query}`);
  }
});
