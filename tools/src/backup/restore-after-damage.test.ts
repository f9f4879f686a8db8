/** A restore of the last backup after each kind of damage that the crash and damage tests make, whichever store was hit. */
import assert from 'node:assert/strict';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { memcachedMissing, startMemcached } from '@zenko-modules/common/testing/memcached-server';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { isLeftOut } from '@zenko-modules/metadata-module/copy/copy-state';
import { OpenedLocation, parseLocation } from '@zenko-modules/metadata-module/copy/location';
import { readEntries } from '@zenko-modules/metadata-module/leveldowns/level-calls';
import { newPlace as newDatabase } from '@zenko-modules/metadata-module/leveldowns/mongodown/testing/databases';
import { startModule } from '@zenko-modules/metadata-module/testing/start-module';
import { MetadataUnderTest } from '../testing/metadata-under-test.js';
import { runTool } from '../testing/run-tool.js';
import {
  type Backend,
  type Damage,
  DAMAGES,
  folderOf,
  NEWEST,
  type Place,
} from '../testing/store-damages.js';
import { restoreBackup } from './restore-backup.js';

async function newPlace(t: TestContext, backend: Backend): Promise<Place> {
  const dataDir = await temporaryFolder(t);
  await mkdir(path.join(dataDir, 'metadata'));
  const env: Record<string, string> = { DATA_DIR: dataDir, METADATA_BACKEND: backend };
  if (backend === 'mongodown') {
    const { url, database } = await newDatabase(t);
    Object.assign(env, { MONGODB_URL: url, MONGODB_DATABASE: database });
  }
  if (backend === 'jsonmemcached') {
    const { port } = await startMemcached(t);
    Object.assign(env, { MEMCACHED_HOSTS: `127.0.0.1:${port}` });
  }
  return { backend, dataDir, env };
}

async function at<T>(place: Place, use: (target: OpenedLocation) => Promise<T>): Promise<T> {
  const where = place.backend === 'mongodown' ? '' : folderOf(place);
  const location = parseLocation('--to', `${place.backend}:${where}`);
  const opened = await OpenedLocation.open(location, place.env, silentLogger());
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}

const restoreInto = (place: Place, file: string): Promise<unknown> =>
  at(place, target =>
    restoreBackup({ file, target, onLine: () => undefined, signal: new AbortController().signal }),
  );

/** Every entry of a store, the record log among them, and its deployment's id. */
const contentsOf = (place: Place): Promise<Record<string, string>> =>
  at(place, async opened => {
    const found: Record<string, string> = { uuid: (await opened.uuid()) ?? '' };
    for await (const { key, value } of readEntries(opened.level))
      if (!isLeftOut(key)) found[key.toString('latin1')] = value.toString();
    return found;
  });

/** What the store held when it was backed up, without what comes after. */
interface Backup {
  readonly file: string;
  readonly contents: Record<string, string>;
}

async function fill(module: MetadataUnderTest, database: string, count: number): Promise<void> {
  const pad = 'x'.repeat(100);
  for (let n = 0; n < count; n += 1) await module.put(database, `k${n}`, { n, pad });
}

async function makeBackup(t: TestContext): Promise<Backup> {
  const source = await newPlace(t, 'leveldown');
  const module = await MetadataUnderTest.start(t, source.env);
  await fill(module, 'bucket', 40);
  for (let n = 0; n < 10; n += 1) await module.put('versioned', `kéy😀${n % 3}`, { n }, { versioning: true });
  await module.call('bucket', 'del', 'k3', {});
  const backup = path.join(await temporaryFolder(t), 'backup');
  const made = await runTool(t, ['backup', backup], module.env);
  assert.equal(made.code, 0, made.stderr);
  await module.stop();
  return { file: backup, contents: await contentsOf(source) };
}

/** A store that went on from the backup, whose module was stopped; its newest changes are in a log or journal. */
async function prepare(t: TestContext, backend: Backend, { file: backup }: Backup): Promise<Place> {
  const place = await newPlace(t, backend);
  await restoreInto(place, backup);
  const first = await MetadataUnderTest.start(t, place.env);
  await fill(first, 'later', 20);
  await first.stop();
  const second = await MetadataUnderTest.start(t, place.env);
  for (let n = 20; n < 41; n += 1) await second.put('later', `k${n}`, { n });
  assert.equal(await second.readLog({}), NEWEST);
  const json = path.join(folderOf(place), 'jsondown');
  const crashed = path.join(folderOf(place), 'crashed');
  // Stopped in peace it leaves nothing in its journal.
  const leaveLock = (source: string): boolean => !source.endsWith(`${path.sep}lock`);
  if (backend === 'jsondown') await cp(json, crashed, { recursive: true, filter: leaveLock });
  await second.stop();
  if (backend === 'jsondown') {
    await rm(json, { recursive: true });
    await rename(crashed, json);
  }
  return place;
}

/** What has been prepared, once more; stores that are not files are prepared anew. */
async function again(t: TestContext, prepared: Place, backup: Backup): Promise<Place> {
  const { backend, env } = prepared;
  if (backend === 'mongodown' || backend === 'jsonmemcached') return prepare(t, backend, backup);
  const dataDir = path.join(await temporaryFolder(t), 'copy');
  await cp(prepared.dataDir, dataDir, { recursive: true });
  return { backend, dataDir, env: { ...env, DATA_DIR: dataDir } };
}

test('after each kind of damage it is named, and the last backup gives a new store exactly what it holds', async t => {
  const missing = { mongodown: mongodbMissing, jsonmemcached: memcachedMissing };
  const backup = await makeBackup(t);
  const targets = (['jsondown', 'leveldown', 'mongodown'] as const).filter(
    backend => backend !== 'mongodown' || mongodbMissing === false,
  );
  let turn = 0;
  for (const [backend, damages] of Object.entries(DAMAGES) as [Backend, readonly Damage[]][]) {
    const skip = backend === 'mongodown' || backend === 'jsonmemcached' ? missing[backend] : false;
    await t.test(backend, { skip }, async t => {
      const prepared = await prepare(t, backend, backup);
      for (const { what, harm, named, byVerify } of damages) {
        const place = await again(t, prepared, backup);
        await harm(place);
        if (byVerify) {
          const module = await MetadataUnderTest.start(t, place.env);
          const { code, stdout } = await runTool(t, ['verify'], module.env);
          assert.equal(code, 1, what);
          assert.match(stdout, named, what);
          await module.stop();
        } else {
          await assert.rejects(startModule(t, place.env), (err: Error) => {
            assert.equal(err.name, 'StartError', `${what}: ${err.stack}`);
            assert.match(err.message, named, what);
            assert.match(err.message, /zenko -- restore/, what);
            return true;
          });
        }
        const target = await newPlace(t, targets[turn % targets.length] ?? 'leveldown');
        turn += 1;
        await restoreInto(target, backup.file);
        assert.deepEqual(await contentsOf(target), backup.contents, `${what}, into ${target.backend}`);
      }
    });
  }
});
