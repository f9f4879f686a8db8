/** A file that does not answer. A named pipe that nobody reads stands for it: opening one waits in the system. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { openPackedStore } from './packed-store.js';
import { packedOptions } from './testing/packed-options.js';

const SEGMENT_BYTES = 64 * 1024;

test('a hint file that is never written does not hold up what is put next', { timeout: 60_000 }, async t => {
  const folder = await temporaryFolder(t);
  const options = packedOptions({ DISK_TIMEOUT_MS: 500, PACKED_SEGMENT_BYTES: SEGMENT_BYTES });
  const store = await openPackedStore(folder, options, silentLogger());
  const pipe = path.join(folder, 'segments', '00000001.hint.tmp');
  execFileSync('mkfifo', [pipe]);
  const bytes = Buffer.alloc(SEGMENT_BYTES / 4, 'x');
  const keys: string[] = [];
  for (let i = 0; i < 6; i += 1) keys.push(await store.put(Readable.from([bytes]), bytes.length));
  for (const key of keys) assert.ok((await buffer(await store.get(key))).equals(bytes));
  // Lets the call that waits in the system go on.
  const reader = await open(pipe, 'r+');
  await store.close();
  await reader.close();
});
