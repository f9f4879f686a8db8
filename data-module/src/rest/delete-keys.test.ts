/** Many blobs deleted with one request: all of the list are gone or an error says so, and what is no list deletes nothing. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { HttpStore } from '../testing/http-store.js';
import { connectRaw, exchangeRaw } from '../testing/raw-http.js';
import { startTestModule } from '../testing/start-module.js';
import { deleteKeys } from './delete-keys.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const NO_BLOB = 'ab'.repeat(20);

async function started(t: TestContext, backend = 'disk') {
  const module = await startTestModule(t, { DATA_DIR: await temporaryFolder(t), DATA_BACKEND: backend });
  const url = `${module.url}/DataFile`;
  return {
    port: module.port,
    put: (count: number) => putMany(module.port, count),
    keys: async () => (await (await fetch(`${url}?keys`)).text()).split('\n').filter(Boolean).sort(),
    remove: (body: string) => fetch(`${url}?delete`, { method: 'POST', body }),
  };
}

async function putMany(port: number, count: number): Promise<string[]> {
  const store = new HttpStore(port);
  const putOne = (_: unknown, n: number): Promise<string> =>
    store.put(Readable.from([`blob ${n}`]), `blob ${n}`.length);
  try {
    return await Promise.all(Array.from({ length: count }, putOne));
  } finally {
    await store.close();
  }
}

for (const backend of ['disk', 'packed']) {
  test(`${backend}: the blobs of a list are gone, and no others`, async t => {
    const { put, keys, remove } = await started(t, backend);
    const stored = await put(200);
    const [kept, ...gone] = stored;
    const answer = await remove([...gone, NO_BLOB, gone[0], 'a'.repeat(500)].join('\n'));
    assert.deepEqual([answer.status, await answer.text()], [204, '']);
    assert.deepEqual(await keys(), [kept]);
    assert.equal((await remove(`${gone.join('\n')}\n`)).status, 204, 'what is gone counts as deleted');
  });
}

test('what is no list of keys deletes nothing', async t => {
  const { put, keys, remove } = await started(t);
  const [key = ''] = await put(1);
  const notLists: readonly string[] = [
    '',
    '\n',
    `${key}\n\n`,
    `${key}\r\n${NO_BLOB}`,
    `${key}\n${NO_BLOB.toUpperCase()}`,
    `${key}\n../../etc/passwd`,
    `${key}\n.uploads`,
    `${key}\n${NO_BLOB}\0`,
    `${key} ${NO_BLOB}`,
    `${key}\nkö`,
    JSON.stringify([key]),
    Array.from({ length: 1001 }, () => key).join('\n'),
    `${key}\n${'a'.repeat(200_000)}`,
  ];
  for (const list of notLists) {
    const answer = await remove(list);
    const { errorType } = (await answer.json()) as { errorType: string };
    assert.deepEqual([answer.status, errorType], [400, 'InvalidInput'], list.slice(0, 100));
  }
  assert.deepEqual(await keys(), [key]);
});

test('a list that does not come to its end deletes nothing, whether its sender waits or leaves', async t => {
  const { port, put, keys, remove } = await started(t);
  const [key = ''] = await put(1);
  const head = (length: number | string, more = ''): string =>
    `POST /DataFile?delete HTTP/1.1\r\nHost: x\r\n${more}Content-Length: ${length}\r\n\r\n`;
  const waits = connectRaw(port);
  waits.write(`${head(81)}${key}\n`);
  waits.end();
  assert.match(await waits.closed, /^HTTP\/1.1 400 .*"IncompleteBody"/s);
  const leaves = connectRaw(port);
  leaves.write(`${head(81, 'Expect: 100-continue\r\n')}${key}\n`);
  await leaves.until('100 Continue');
  leaves.destroy();
  const endless = connectRaw(port);
  endless.write(head(2 ** 40));
  await endless.until('"InvalidInput"');
  endless.destroy();
  const chunked = `POST /DataFile?delete HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n${key}\r\n0\r\n\r\n`;
  assert.match(
    await exchangeRaw(port, chunked.replace('Host: x', 'Host: x\r\nConnection: close')),
    /^HTTP\/1.1 411 /,
  );
  assert.deepEqual(await keys(), [key]);
  assert.equal((await remove(key)).status, 204);
  assert.deepEqual(await keys(), []);
});

test('other methods and other places do not delete', async t => {
  const { port, put, keys } = await started(t);
  const [key = ''] = await put(1);
  const url = `http://127.0.0.1:${port}/DataFile`;
  for (const [method, target, status] of [
    ['POST', '', 405],
    ['POST', `/${key}`, 405],
    ['POST', `/${key}?delete`, 405],
    ['POST', '?delete=1', 405],
    ['PUT', '?delete', 400],
    ['DELETE', '?delete', 400],
    ['DELETE', `/${key}?delete`, 400],
  ] as const)
    assert.equal((await fetch(url + target, { method, body: key })).status, status, `${method} ${target}`);
  assert.equal((await fetch(`${url}?delete`)).status, 400);
  assert.deepEqual(await keys(), [key]);
});

test('a blob that cannot be deleted does not keep the others, a store that is away is not asked for all', async () => {
  const asked: string[] = [];
  const storeOf = (failing: string, err: Error) => ({
    delete: (key: string) => {
      asked.push(key);
      return key === failing ? Promise.reject(err) : Promise.resolve();
    },
  });
  const keys = Array.from({ length: 500 }, (_, n) => n.toString(16));
  const damaged = new CatalogueError('InternalError', 'damaged');
  await assert.rejects(deleteKeys(storeOf('3', damaged), keys), err => err === damaged);
  assert.deepEqual(asked.splice(0), keys);
  await deleteKeys(storeOf('3', new CatalogueError('ObjNotFound')), keys);
  assert.deepEqual(asked.splice(0), keys);
  const away = new CatalogueError('ServiceUnavailable', 'away');
  await assert.rejects(deleteKeys(storeOf('3', away), keys), err => err === away);
  assert.ok(asked.length < keys.length, `${asked.length} asked`);
});

test('killed in the midst, it leaves each blob whole or gone, and what was answered stays gone', async t => {
  const random = seededRandom(t);
  const env = {
    DATA_DIR: await temporaryFolder(t),
    DATA_PORT: '0',
    DATA_PROBE_PORT: '0',
    DATA_WORKERS: '1',
    LOG_LEVEL: 'warn',
  };
  let daemon = await startDaemon(t, { entry: MAIN, env });
  const port = (): number => daemon.ports.DATA_PORT ?? 0;
  const remove = (keys: readonly string[]): Promise<Response> =>
    fetch(`http://127.0.0.1:${port()}/DataFile?delete`, { method: 'POST', body: keys.join('\n') });
  let cut = 0;
  // A kill may come before the first deletion, or after the last.
  for (let round = 0; round < 3 || (cut === 0 && round < 15); round += 1) {
    const answered = await putMany(port(), 100);
    assert.equal((await remove(answered)).status, 204);
    const keys = await putMany(port(), 600);
    const store = new HttpStore(port());
    const last = keys[random.integer(0, keys.length - 1)] ?? '';
    const removing = remove(keys).then(
      ({ status }) => status,
      () => undefined,
    );
    const isThere = (key: string): Promise<boolean> =>
      store.stat(key).then(
        () => true,
        (err: unknown) => !isErrorType(err, 'ObjNotFound'),
      );
    while (await isThere(last));
    await daemon.kill('SIGKILL');
    await store.close();
    if ((await removing) === undefined) cut += 1;
    daemon = await startDaemon(t, { entry: MAIN, env });
    const after = new HttpStore(port());
    for (const key of answered) await assert.rejects(after.stat(key), err => isErrorType(err, 'ObjNotFound'));
    for (const [n, key] of keys.entries())
      assert.ok([undefined, `blob ${n}`.length].includes(await after.stat(key).catch(() => undefined)));
    await after.close();
    assert.equal((await remove(keys)).status, 204, 'the same list again');
  }
  assert.ok(cut > 0, 'a kill hit a list in its midst');
});
