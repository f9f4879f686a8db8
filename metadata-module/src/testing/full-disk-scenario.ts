/** Run by `leveldown-full-disk.test.ts` on a small file system: `node full-disk-scenario.js <folder>`. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, open as openFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { leveldown } from '../leveldowns/leveldown-binding.js';
import { MetadataStore } from '../metadata-store.js';
import { contentOf, replayed } from './model/stored.js';
import { BUCKET, PLAIN } from './open-store.js';

const root = process.argv[2] ?? '';
const folder = path.join(root, 'metadata');
const ballast = path.join(root, 'ballast');
const filler = path.join(root, 'filler');
const BLOCK = Buffer.alloc(4096);
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
let stop = false;
let complete = 0;

/** Lists while the disk fills up, is full, and has room again: all that was acknowledged before, or an error. */
async function read(): Promise<void> {
  while (!stop) {
    const before = acknowledged.length;
    try {
      const seen = new Set<string>();
      const iterator = await store.databases.list(BUCKET, {});
      for (let next = await iterator.next(); !next.done; next = await iterator.next())
        seen.add(next.value.key);
      for (const key of acknowledged.slice(0, before)) assert.ok(seen.has(key), `${key} is not listed`);
      const { info, log } = await store.recordLog.read({});
      let records = 0;
      for (let next = await log.next(); !next.done; next = await log.next()) records += 1;
      assert.equal(records, info.end ?? 0);
      assert.ok(records >= before, `${records} of ${before} records`);
      complete += 1;
    } catch (err) {
      if (!isErrorType(err, 'ServiceUnavailable', 'InternalError')) throw err;
    }
    await sleep(5);
  }
}
const readers = Promise.all([read(), read()]);

/** Takes the room that is left, also what a store that is opened again gives back: a small write would fit there. */
async function fillUp(): Promise<void> {
  const file = await openFile(filler, 'a');
  try {
    for (;;) await file.write(BLOCK);
  } catch (err) {
    assert.equal((err as NodeJS.ErrnoException).code, 'ENOSPC');
  } finally {
    await file.close();
  }
}

async function sayNotReady(): Promise<void> {
  for (let tries = 0; tries < 10; tries += 1) {
    await fillUp();
    const said = await store.ready().then(
      () => 'ready',
      (err: unknown) => (isErrorType(err, 'ServiceUnavailable') ? 'not ready' : String(err)),
    );
    if (said !== 'ready') {
      assert.equal(said, 'not ready');
      return;
    }
  }
  assert.fail('it is ready on a full disk');
}

for (let n = 0; refusals < 20; n += 1) {
  const key = `k${n}`;
  try {
    await store.databases.put(BUCKET, key, VALUE, PLAIN);
    assert.equal(refusals, 0, 'nothing is acknowledged once the disk is full');
    acknowledged.push(key);
  } catch (err) {
    assert.ok(isErrorType(err, 'InternalError', 'ServiceUnavailable'), String(err));
    refusals += 1;
    await sayNotReady();
    await sleep(20);
  }
}

await rm(ballast);
await rm(filler);
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
stop = true;
await readers;
assert.ok(complete > 0);

for (let start = 0; start < 2; start += 1) {
  const content = await contentOf(store);
  for (const key of acknowledged) assert.equal(content.get('bucket')?.get(key), VALUE, key);
  assert.deepEqual(await replayed(store), content);
  await store.close();
  store = await open();
}
await store.close();
console.log(`${acknowledged.length} acknowledged, ${refusals} refused on a full disk, all as it should be`);
