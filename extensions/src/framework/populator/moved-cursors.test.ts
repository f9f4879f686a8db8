/** Offsets that were kept in the folder go over to the metadata module: what ends half-way skips nothing. */
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { makeFolder } from '@zenko-modules/common/sync-folder';
import { startMetadata } from '../../testing/stack.js';
import { CursorFiles } from './cursor-files.js';
import { Cursors } from './cursor.js';
import { type HeldReader, type HoldOptions, holdReader } from './held-reader.js';

const BEFORE: Readonly<Record<string, number>> = { ahead: 5000, behind: 100, between: 700 };
const NAMES = Object.keys(BEFORE);

test('a populator that ends while its offsets move from the folder reads on from none that is later', async t => {
  const data = await temporaryFolder(t);
  const { recordLog } = await startMetadata(t, data);
  const folder = path.join(data, 'offsets');
  await makeFolder(folder);
  const files = new CursorFiles(folder);
  for (const [name, nextSeq] of Object.entries(BEFORE)) await files.save(name, { nextSeq });

  /** Of a populator of which so many saves succeed. */
  const hold = async (name: string, saves = Infinity): Promise<HeldReader> => {
    let left = saves;
    const call: HoldOptions['client']['call'] = (method, request) => {
      if (method === 'saveReaderPlace' && (left -= 1) < 0) throw new Error('the connection broke');
      return recordLog.call(method, request);
    };
    const { signal } = new AbortController();
    const held = await holdReader({ client: { call }, name, before: files, log: silentLogger(), signal });
    assert.ok(held);
    t.after(() => held.release());
    return held;
  };
  const assertNoneLater = async (reader: string): Promise<void> => {
    const held = await hold(reader);
    const cursors = await Cursors.load(held, NAMES);
    for (const name of NAMES) {
      const { nextSeq } = cursors.get(name);
      assert.ok(nextSeq <= (BEFORE[name] ?? 0), `${reader}: ${name} goes on at ${nextSeq}`);
    }
    await held.release();
  };

  for (let saves = 0; saves < NAMES.length; saves += 1) {
    const reader = `ends-after-${saves}`;
    const held = await hold(reader, saves);
    const cursors = await Cursors.load(held, NAMES);
    await assert.rejects(cursors.begin(), /the connection broke/, `after ${saves} saves`);
    await held.release();
    await assertNoneLater(reader);
  }

  // The one that is ahead reads on, and the others have not when it ends.
  const held = await hold('ends-later');
  const cursors = await Cursors.load(held, NAMES);
  await cursors.begin();
  await cursors.save('ahead', { nextSeq: 5100 });
  await held.release();
  const next = await hold('ends-later');
  const after = await Cursors.load(next, NAMES);
  assert.deepEqual(
    NAMES.map(name => after.get(name).nextSeq),
    [5100, 100, 700],
  );
});
