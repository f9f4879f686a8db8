/** A batch that cannot be written. A full disk has a test of its own. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { rejectsWith } from '../../testing/contract/harness.js';
import { openPackedStore } from './packed-store.js';
import { packedOptions } from './testing/packed-options.js';

test('of two deletions of one blob at once, which cannot be written, neither says that it is gone', async t => {
  const store = await openPackedStore(await temporaryFolder(t), packedOptions(), silentLogger());
  t.after(() => store.close());
  const key = await store.put(Readable.from([Buffer.from('bytes')]), 5);
  const refuse = (...call: unknown[]): void => {
    const done = call.at(-1) as (err: Error) => void;
    setImmediate(done, Object.assign(new Error('i/o error'), { code: 'EIO' }));
  };
  const mocks = (['write', 'writev'] as const).map(name => t.mock.method(fs, name, refuse));
  const deletions = [store.delete(key), store.delete(key)];
  for (const deletion of await Promise.allSettled(deletions)) {
    assert.ok(deletion.status === 'rejected');
    await rejectsWith(Promise.reject(deletion.reason as Error), 'InternalError');
  }
  for (const { mock } of mocks) mock.restore();
  assert.equal(await text(await store.get(key)), 'bytes');
  // What only one of them does, the other is told.
  const [first, second] = await Promise.allSettled([store.delete(key), store.delete(key)]);
  assert.equal(first.status, 'fulfilled');
  assert.ok(second.status === 'rejected');
  await rejectsWith(Promise.reject(second.reason as Error), 'ObjNotFound');
});
