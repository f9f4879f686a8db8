import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { MetadataStore } from '../metadata-store.js';
import { MEMDOWN } from '../testing/level-place.js';
import { contentOf, replayed } from '../testing/model/stored.js';
import { BUCKET, openStore, PLAIN, VERSIONED } from '../testing/open-store.js';

async function open(t: TestContext): Promise<MetadataStore> {
  const place = await MEMDOWN.place(t);
  return openStore(t, { level: await place.level() });
}

/** A null version as CloudServer puts it into a bucket whose versioning is suspended; answers its id. */
const putNull = async (store: MetadataStore, body: number): Promise<string> =>
  (await store.databases.put(BUCKET, 'k', JSON.stringify({ body, isNull: true, isNull2: true }), {
    ...PLAIN,
    versionId: '',
  })) ?? '';

const tagged = (versionId: string): string =>
  JSON.stringify({ body: 1, tags: { hello: 'world' }, isNull: true, isNull2: true, versionId });

test('a change of a null version that a newer null version has replaced leaves nothing behind', async t => {
  const store = await open(t);
  const replaced = await putNull(store, 1);
  await putNull(store, 2);
  const [before, records] = [await contentOf(store), store.recordLog.last];
  const options = { ...PLAIN, versionId: replaced, isNull: true };
  const answer = await store.databases.put(BUCKET, 'k', tagged(replaced), options);
  assert.equal(answer, replaced);
  assert.deepEqual(await contentOf(store), before);
  assert.equal(store.recordLog.last, records, 'nothing is logged either');
  assert.deepEqual(await replayed(store), before);
});

test('a change of a null version that a version has replaced goes to the null key', async t => {
  const store = await open(t);
  const replaced = await putNull(store, 1);
  const versionId = await store.databases.put(BUCKET, 'k', '{"body":2}', VERSIONED);
  const options = { ...PLAIN, versionId: replaced, isNull: true };
  const answer = await store.databases.put(BUCKET, 'k', tagged(replaced), options);
  assert.equal(answer, replaced);
  const entries = (await contentOf(store)).get(BUCKET.name);
  assert.deepEqual([...(entries?.keys() ?? [])], ['k', 'k\0', `k\0${versionId ?? ''}`]);
  assert.equal(entries?.get('k\0'), tagged(replaced));
});
