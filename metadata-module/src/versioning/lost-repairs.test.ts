/** The search for place holders of an earlier process goes on behind clients, and holds up nobody. */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { withDeadline } from '@zenko-modules/common/deadline';
import type { LevelDown } from '../leveldowns/plugin.js';
import { holdIterators } from '../testing/held-iterators.js';
import { MEMDOWN } from '../testing/level-place.js';
import { BUCKET, openStore, VERSIONED } from '../testing/open-store.js';

const DEADLINE_MS = 10_000;

/** A store whose last process left a place holder under `k`. */
async function withPlaceHolder(t: TestContext): Promise<LevelDown> {
  const place = await MEMDOWN.place(t);
  const level = await place.level();
  const store = await openStore(t, { level, repairDelayMs: 600_000 });
  await store.databases.put(BUCKET, 'k', '{"n":"newest"}', VERSIONED);
  const versionId = await store.databases.put(BUCKET, 'k', '{"n":"deleted"}', VERSIONED);
  await store.databases.del(BUCKET, 'k', { versionId });
  await store.close();
  return level;
}

/** Holds every step beyond an iterator's first two from `hold` on: those of the search, here. */
function holdSearch(level: LevelDown): () => void {
  let release: (() => void) | undefined;
  const held = new Promise<undefined>(resolve => (release = () => resolve(undefined)));
  holdIterators(level, step => (step > 2 ? held : Promise.resolve(undefined)));
  return () => release?.();
}

test('a store is open, and answers what is right, before the search has ended', async t => {
  const level = await withPlaceHolder(t);
  const release = holdSearch(level);
  const store = await withDeadline(openStore(t, { level, repairDelayMs: 600_000 }), DEADLINE_MS, 'the start');
  let found = false;
  const resumed = store.resumed.then(() => (found = true));
  await store.ready();
  assert.match(await store.databases.get(BUCKET, 'k', {}), /"newest"/);
  await store.databases.put(BUCKET, 'other', '{}', VERSIONED);
  assert.equal(found, false);
  release();
  await resumed;
});

test('a search under way does not undo what clients do meanwhile', async t => {
  const level = await withPlaceHolder(t);
  const release = holdSearch(level);
  const store = await openStore(t, { level, repairDelayMs: 1 });
  await store.databases.put(BUCKET, 'k', '{"n":"written meanwhile"}', VERSIONED);
  release();
  await store.resumed;
  await new Promise(resolve => setTimeout(resolve, 30));
  await store.databases.idle();
  assert.match(await store.databases.get(BUCKET, 'k', {}), /"written meanwhile"/);
});

test('a stop does not wait for the search, nor for a step of it that never ends', async t => {
  const level = await withPlaceHolder(t);
  holdSearch(level);
  const store = await openStore(t, { level, deadlines: { drainMs: 50 } });
  await withDeadline(store.close(400), DEADLINE_MS, 'the stop');
  assert.equal(level.status, 'closed');
});
