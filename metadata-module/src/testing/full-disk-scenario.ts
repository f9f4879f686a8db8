/** Run by `leveldown-full-disk.test.ts` on a small file system: `node full-disk-scenario.js <folder>`. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { leveldown } from '../leveldowns/leveldown-binding.js';
import { MetadataStore } from '../metadata-store.js';
import { contentOf, replayed } from './model/run.js';
import { BUCKET, PLAIN } from './open-store.js';

const root = process.argv[2] ?? '';
const folder = path.join(root, 'metadata');
const ballast = path.join(root, 'ballast');
const VALUE = JSON.stringify({ pad: randomBytes(20_000).toString('base64') });

const open = (): Promise<MetadataStore> =>
  MetadataStore.open({
    level: leveldown(path.join(folder, 'rootDB')),
    log: silentLogger(),
    maxRecords: 1_000_000,
  });

await mkdir(folder);
await writeFile(ballast, Buffer.alloc(24_000_000));
let store = await open();
const acknowledged: string[] = [];
let refusals = 0;
for (let n = 0; refusals < 20; n += 1) {
  const key = `k${n}`;
  try {
    await store.databases.put(BUCKET, key, VALUE, PLAIN);
    assert.equal(refusals, 0, 'nothing is acknowledged once the disk is full');
    acknowledged.push(key);
  } catch (err) {
    assert.ok(isErrorType(err, 'InternalError', 'ServiceUnavailable'), String(err));
    refusals += 1;
    await assert.rejects(store.ready(), err2 => isErrorType(err2, 'ServiceUnavailable'));
    await sleep(20);
  }
}

await rm(ballast);
for (let tries = 0; ; tries += 1) {
  try {
    await store.ready();
    break;
  } catch (err) {
    if (tries > 100) throw err;
    await sleep(100);
  }
}
await store.databases.put(BUCKET, 'after', VALUE, PLAIN);
acknowledged.push('after');

for (let start = 0; start < 2; start += 1) {
  const content = await contentOf(store);
  for (const key of acknowledged) assert.equal(content.get('bucket')?.get(key), VALUE, key);
  assert.deepEqual(await replayed(store), content);
  await store.close();
  store = await open();
}
await store.close();
console.log(`${acknowledged.length} acknowledged, ${refusals} refused on a full disk, all as it should be`);
