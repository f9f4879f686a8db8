import assert from 'node:assert/strict';
import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { FolderJournal } from './folder-journal.js';

test('a line that is there although its append has failed is the last one', async t => {
  const file = path.join(await temporaryFolder(t), 'journal');
  await writeFile(file, '');
  const journal = await FolderJournal.resume(file, 0, true);
  t.after(() => journal.close());
  await journal.append('1', true);
  const handle = await open(file);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const lost = Object.assign(new Error('EIO: i/o error, fstat'), { code: 'EIO' });
  const { mock } = t.mock.method(prototype, 'stat', () => Promise.reject(lost));
  await assert.rejects(journal.append('2', true), { code: 'LEVEL_UNAVAILABLE' });
  mock.restore();
  // What is told of it would be that number 2 is free.
  await assert.rejects(journal.append('2', true), /since an earlier failure/);
  assert.equal(journal.usable, false);
  assert.equal(await readFile(file, 'utf8'), '1\n2\n');
});
