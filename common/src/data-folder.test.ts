import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { openPartFolder } from './data-folder.js';
import { temporaryFolder } from './testing/temporary-folder.js';

test('a part gets a folder of its own, and the same one again', async t => {
  const root = await temporaryFolder(t);
  const folder = await openPartFolder(root, 'data');
  assert.equal(folder, path.join(root, 'data'));
  assert.equal(await openPartFolder(root, 'data'), folder);
});

test('a named folder that is missing is refused, and not made', async t => {
  const root = await temporaryFolder(t);
  await assert.rejects(openPartFolder(path.join(root, 'unmounted'), 'data'), {
    name: 'StartError',
    message: `DATA_DIR: folder ${path.join(root, 'unmounted')} does not exist; make it first, or mount it`,
  });
  assert.deepEqual(await readdir(root), []);
});

test('a file in the place of the folder, or of a part, is refused', async t => {
  const root = await temporaryFolder(t);
  await writeFile(path.join(root, 'file'), '');
  await assert.rejects(openPartFolder(path.join(root, 'file'), 'data'), /DATA_DIR: .* is not a folder/);
  await mkdir(path.join(root, 'folder'));
  await writeFile(path.join(root, 'folder', 'data'), '');
  await assert.rejects(openPartFolder(path.join(root, 'folder'), 'data'), /DATA_DIR: .* is not a folder/);
});
