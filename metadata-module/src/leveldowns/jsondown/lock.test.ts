import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { symlink, writeFile, readdir, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { closeLevel, openLevel } from '../level-calls.js';
import { JsonDown } from './json-down.js';
import { openedJsonDown } from './testing/collect.js';

const HOLDER = fileURLToPath(new URL('testing/lock-holder.js', import.meta.url));

test('a folder that another process has open is refused, until that process is killed', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  const holder = fork(HOLDER, [folder], { execArgv: [] });
  t.after(() => holder.kill('SIGKILL'));
  await once(holder, 'message');
  const store = new JsonDown(folder);
  await assert.rejects(openLevel(store), {
    code: 'LEVEL_FENCED',
    message: /store is in use by another process/,
  });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await openLevel(store);
  await closeLevel(store);
});

test('the same folder is refused within a process too, under whatever name', async t => {
  const root = await temporaryFolder(t);
  const folder = path.join(root, 'store');
  const store = await openedJsonDown(t, folder);
  await symlink(folder, path.join(root, 'link'));
  for (const other of [folder, path.join(root, 'link'), `${root}/./store/`]) {
    await assert.rejects(openLevel(new JsonDown(other)), { code: 'LEVEL_FENCED' });
  }
  await closeLevel(store);
  await closeLevel(await openedJsonDown(t, path.join(root, 'link')));
});

test('a lock whose files a crash left unreadable is made anew', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  await closeLevel(await openedJsonDown(t, folder));
  const lock = path.join(folder, 'lock');
  for (const name of await readdir(lock)) {
    if (name !== 'LOCK') await writeFile(path.join(lock, name), 'damaged');
  }
  await closeLevel(await openedJsonDown(t, folder));
});

test('an open that fails after it took the lock lets go of it', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  await closeLevel(await openedJsonDown(t, folder));
  // A leftover that cannot be removed as a file.
  await mkdir(path.join(folder, 'data.json.tmp'));
  await assert.rejects(openLevel(new JsonDown(folder)), {
    code: 'LEVEL_UNAVAILABLE',
    message: /store cannot be cleaned up/,
  });
  await rm(path.join(folder, 'data.json.tmp'), { recursive: true });
  await closeLevel(await openedJsonDown(t, folder));
});

test('a folder whose parent is missing is not made', async t => {
  const folder = path.join(await temporaryFolder(t), 'unmounted', 'store');
  await assert.rejects(openLevel(new JsonDown(folder)), { code: 'LEVEL_UNAVAILABLE', message: /ENOENT/ });
});

test('a folder that is there but holds no store is no store', async t => {
  const folder = path.join(await temporaryFolder(t), 'store');
  await mkdir(folder);
  const open = openLevel(new JsonDown(folder), { createIfMissing: false });
  await assert.rejects(open, /a store does not exist/);
});
