import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { silentLogger } from '@zenko-modules/common/logger';
import { refuseUnfinishedCopy } from '@zenko-modules/metadata-module/copy/copy-state';
import { OpenedLocation, parseLocation } from '@zenko-modules/metadata-module/copy/location';
import { recordKey } from '@zenko-modules/metadata-module/record-log/record';
import { httpUrl } from '@zenko-modules/common/http-url';
import { RpcClient } from '@zenko-modules/rpc/client';
import { RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { getValue } from '@zenko-modules/metadata-module/leveldowns/level-calls';
import { newPlace as newDatabase } from '@zenko-modules/metadata-module/leveldowns/mongodown/testing/databases';
import { DataUnderTest } from '../testing/data-under-test.js';
import { MetadataUnderTest } from '../testing/metadata-under-test.js';
import { LogWindow } from '../metadata/log-window.js';
import { MetadataClient } from '../metadata/metadata-client.js';
import { type Environment, runTool } from '../testing/run-tool.js';
import { restoreBackup } from './restore-backup.js';
import { writeBackup } from './write-backup.js';

interface Place {
  readonly dataDir: string;
  /** For `--to`. */
  readonly to: string;
  /** For the tool, and for a module over what it restored. */
  readonly env: Environment;
}

async function newPlace(t: TestContext, backend: string): Promise<Place> {
  const dataDir = await temporaryFolder(t);
  if (backend === 'mongodown') {
    const { url, database } = await newDatabase(t);
    return { dataDir, to: `mongodown:${url}`, env: { MONGODB_URL: url, MONGODB_DATABASE: database } };
  }
  await mkdir(path.join(dataDir, 'metadata'));
  return { dataDir, to: `${backend}:${path.join(dataDir, 'metadata')}`, env: {} };
}

async function fill(module: MetadataUnderTest): Promise<void> {
  for (let n = 0; n < 30; n += 1) {
    await module.put(`bucket${n % 3}`, `kéy😀${n}`, { n });
    await module.put('versioned', `k${n % 5}`, { n }, { versioning: true });
  }
  await module.call('bucket0', 'del', 'kéy😀3', {});
  // Line separators, which JSON does not escape.
  await module.put('bucket1', 'a\u2028b\u2029', { text: 'c\u2028d\u2029' });
}

async function restoreInto(to: string, file: string): Promise<void> {
  const target = await OpenedLocation.open(parseLocation('--to', to), {}, silentLogger());
  try {
    const { signal } = new AbortController();
    await restoreBackup({ file, target, onLine: () => undefined, signal });
  } finally {
    await target.close();
  }
}

/** Each file of a store, but what LevelDB writes at every start. */
async function contentsOf(folder: string): Promise<Map<string, string>> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter(
    entry => entry.isFile() && !/^LO(G|CK)/.test(entry.name),
  );
  const found = files.map(async ({ parentPath, name }) => {
    const place = path.join(parentPath, name);
    const hash = createHash('sha256').update(await readFile(place));
    return [path.relative(folder, place), hash.digest('hex')] as const;
  });
  return new Map(await Promise.all(found));
}

const DATABASES = ['bucket0', 'bucket1', 'bucket2', 'versioned'];
const all = (module: MetadataUnderTest): Promise<[string, string][][]> =>
  Promise.all(DATABASES.map(name => module.entries(name)));

for (const backend of ['leveldown', 'jsondown', 'mongodown']) {
  const skip = backend === 'mongodown' && mongodbMissing;
  test(
    `a backup that was made while others wrote is restored into ${backend}, after the store was lost`,
    { skip },
    async t => {
      const module = await MetadataUnderTest.start(t);
      await fill(module);
      const uuid = await module.call('', 'getUUID');
      const file = path.join(await temporaryFolder(t), 'backup');
      let ended = false;
      // Two keys change together, and two buckets one after the other: a torn copy would show it.
      const write = async (): Promise<void> => {
        for (let n = 0; !ended; n += 1) {
          await module.put('first', 'k', { n });
          await module.put('second', 'k', { n }, { versioning: true });
          await module.put('passing', `k${n}`, { n });
          await module.call('passing', 'del', `k${n - 1}`, {});
        }
      };
      const writing = write();
      const made = await runTool(t, ['backup', file], module.env);
      ended = true;
      await writing;
      assert.equal(made.code, 0, made.stderr);
      assert.match(made.stdout, /\d+ entries and \d+ records, up to record \d+, SHA-256 [0-9a-f]{64}\n$/);
      const before = await all(module);
      const place = await newPlace(t, backend);
      const restored = await runTool(t, ['restore', file, '--to', place.to], place.env);
      assert.equal(restored.code, 0, restored.stderr);
      const again = await MetadataUnderTest.start(t, {
        DATA_DIR: place.dataDir,
        METADATA_BACKEND: backend,
        ...place.env,
      });
      assert.deepEqual(await all(again), before);
      assert.equal(await again.call('', 'getUUID'), uuid);
      const numberOf = (value: string): number => (JSON.parse(value) as { n: number }).n;
      const [first] = await again.entries('first');
      const [second] = await again.entries('second');
      const lead = numberOf(first?.[1] ?? '') - numberOf(second?.[1] ?? '');
      assert.ok(lead === 0 || lead === 1, `first is ${lead} writes ahead`);
      assert.ok((await again.entries('passing')).length <= 2);
      const verified = await runTool(t, ['verify'], again.env);
      assert.equal(verified.code, 0, verified.stdout);
      // It numbers on, and is written to.
      await again.put('bucket0', 'new', {});
      assert.equal((await runTool(t, ['verify'], again.env)).code, 0);
      // Before the server of mongodown goes.
      await again.stop();
    },
  );
}

test('a backup that is cut off or damaged is refused before anything is written', async t => {
  const module = await MetadataUnderTest.start(t);
  await fill(module);
  const file = path.join(await temporaryFolder(t), 'backup');
  assert.equal((await runTool(t, ['backup', file], module.env)).code, 0);
  const whole = await readFile(file);
  const lines = whole.toString().trimEnd().split('\n');
  const flipped = Buffer.from(whole);
  const at = whole.indexOf('"n\\":1') + 5;
  flipped[at] = (flipped[at] ?? 0) ^ 1;
  const damaged: Record<string, Buffer | string> = {
    'cut within a line': whole.subarray(0, whole.length - 300),
    'cut between lines': `${lines.slice(0, -1).join('\n')}\n`,
    'a line less': `${[...lines.slice(0, 5), ...lines.slice(6)].join('\n')}\n`,
    'a bit turned over': flipped,
    'something after its end': `${whole.toString()}["entry","b","k","v"]\n`,
    'another version': whole.toString().replace('backup",1', 'backup",2'),
    'another file': 'hello\n',
    nothing: '',
  };
  const place = await newPlace(t, 'leveldown');
  for (const [name, content] of Object.entries(damaged)) {
    await writeFile(file, content);
    await assert.rejects(
      restoreInto(place.to, file),
      { name: 'ToolError', message: /^[^\n]*backup[^\n]*$/ },
      name,
    );
  }
  const { code, stderr } = await runTool(t, ['restore', file, '--to', place.to], {});
  assert.equal(code, 2);
  assert.match(stderr, /^zenko-modules: .*backup.*\n$/);
  await writeFile(file, whole);
  assert.equal((await runTool(t, ['restore', file, '--to', place.to], {})).code, 0);
  const twice = await runTool(t, ['restore', file, '--to', place.to], {});
  assert.equal(twice.code, 2);
  assert.match(twice.stderr, /is not empty/);
});

test('after a damage the backup is refused by what is left, which stays as it is, and makes a new store', async t => {
  const module = await MetadataUnderTest.start(t);
  await fill(module);
  const before = await all(module);
  const file = path.join(await temporaryFolder(t), 'backup');
  assert.equal((await runTool(t, ['backup', file], module.env)).code, 0);
  await module.stop();
  const change = async (folder: string, name: RegExp, edit: (bytes: Buffer) => Buffer): Promise<void> => {
    const database = path.join(folder, 'rootDB');
    for (const found of (await readdir(database)).filter(one => name.test(one)))
      await writeFile(path.join(database, found), edit(await readFile(path.join(database, found))));
  };
  const damages: Record<string, (folder: string) => Promise<void>> = {
    'a bit turned over in the log': folder =>
      change(folder, /\.log$/, bytes => {
        bytes[1000] = (bytes[1000] ?? 0) ^ 4;
        return bytes;
      }),
    'a manifest of zeros': folder => change(folder, /^MANIFEST/, bytes => bytes.fill(0)),
    'a database that is gone': folder => rm(path.join(folder, 'rootDB'), { recursive: true }),
  };
  for (const [name, damage] of Object.entries(damages)) {
    const folder = path.join(await temporaryFolder(t), 'damaged');
    await cp(path.join(module.folder, 'metadata'), folder, { recursive: true });
    await damage(folder);
    const damaged = await contentsOf(folder);
    await assert.rejects(restoreInto(`leveldown:${folder}`, file), { name: 'StartError' }, name);
    assert.deepEqual(await contentsOf(folder), damaged, name);
  }
  const place = await newPlace(t, 'leveldown');
  await restoreInto(place.to, file);
  const again = await MetadataUnderTest.start(t, { DATA_DIR: place.dataDir });
  assert.deepEqual(await all(again), before);
});

test('readers of the log keep their places over a backup and a restore', async t => {
  const recordLog = (module: MetadataUnderTest): RpcClient => {
    const rpc = new RpcClient({
      url: httpUrl('127.0.0.1', module.env.METADATA_PORT ?? ''),
      namespace: RECORD_LOG_NAMESPACE,
    });
    t.after(() => rpc.close());
    return rpc;
  };
  const logName = 's3-recordlog';
  const module = await MetadataUnderTest.start(t);
  for (let n = 0; n < 50; n += 1) await module.put('b', `k${n}`, { n });
  const log = recordLog(module);
  const call = (rpc: RpcClient, name: string, ...rpcArgs: unknown[]): Promise<unknown> =>
    rpc.call(name, { rpcArgs, subLevel: [], logName });
  await call(log, 'readRecords', { startSeq: 20, limit: 0, reader: 'populator' });
  const hold = { reader: 'populator', holder: 'me', leaseMs: 60_000 };
  await call(log, 'holdReader', hold);
  await call(log, 'saveReaderPlace', { reader: 'populator', holder: 'me', name: 'offset.a', place: '20' });
  const file = path.join(await temporaryFolder(t), 'backup');
  const made = await runTool(t, ['backup', file], module.env);
  assert.equal(made.code, 0, made.stderr);
  // Asking changes nothing.
  assert.deepEqual(await call(log, 'holdReader', hold), { holder: 'me', places: { 'offset.a': '20' } });
  const place = await newPlace(t, 'leveldown');
  assert.equal((await runTool(t, ['restore', file, '--to', place.to], {})).code, 0);
  const again = recordLog(
    await MetadataUnderTest.start(t, { DATA_DIR: place.dataDir, RECORD_LOG_MAX_RECORDS: '1' }),
  );
  const pruned = (await call(again, 'pruneRecords', { endSeq: 40 })) as { start: number };
  assert.ok(pruned.start <= 20, `pruned up to ${pruned.start}`);
  const answer = await call(again, 'holdReader', { ...hold, holder: 'you' });
  assert.deepEqual(answer, { holder: 'you', places: { 'offset.a': '20' } });
});

test('a record that is missing fails a backup that was begun before it, and no other', async t => {
  const module = await MetadataUnderTest.start(t);
  for (let n = 0; n < 20; n += 1) await module.put('b', `k${n}`, { n });
  await module.damage([{ type: 'del', key: recordKey(10) }]);
  const signal = new AbortController().signal;
  const at = { host: '127.0.0.1', port: Number(module.env.METADATA_PORT), signal };
  const folder = await temporaryFolder(t);
  const client = await MetadataClient.connect(at);
  t.after(() => client.close());
  const backup = async (name: string, begunAt: number): Promise<unknown> => {
    let last = 0;
    const log = await LogWindow.open({
      ...at,
      verb: 'backup',
      from: 'oldest',
      onMissing: ({ to }) => (last = to),
    });
    t.mock.method(log, 'newest', () => Promise.resolve(begunAt), { times: 1 });
    const options = {
      client,
      log,
      lastMissing: () => last,
      file: path.join(folder, name),
      onLine: () => {},
      onStray: () => {},
    };
    return writeBackup(options).finally(() => log.close());
  };
  await assert.rejects(backup('early', 9), /record 10 of the log is missing or cannot be read/);
  await backup('late', 10);
  assert.deepEqual(await readdir(folder), ['late']);
});

test('keys that belong to no database are told of by verify, left out of a backup, and stop what they might concern', async t => {
  const module = await MetadataUnderTest.start(t);
  await module.put('b', 'k', { n: 1 });
  const stray = ['\x01b!k', '!b', '"b!k', 'zzz'];
  await module.damage(stray.map(key => ({ type: 'put', key, value: '{"location":[{"key":"0"}]}' })));
  const verified = await runTool(t, ['verify', '--no-log'], module.env);
  assert.equal(verified.code, 1, verified.stderr);
  for (const key of stray)
    assert.ok(verified.stdout.includes(`the key ${JSON.stringify(key)} belongs to no database`));
  const file = path.join(await temporaryFolder(t), 'backup');
  const made = await runTool(t, ['backup', file], module.env);
  assert.equal(made.code, 1, made.stderr);
  assert.match(made.stdout, /; 4 keys belong to no database and are left out: see verify\n$/);
  const place = await newPlace(t, 'leveldown');
  await restoreInto(place.to, file);
  const again = await MetadataUnderTest.start(t, { DATA_DIR: place.dataDir });
  assert.equal((await runTool(t, ['verify'], again.env)).code, 0);
  assert.deepEqual(await again.entries('b'), await module.entries('b'));
  // A blob that one of them names must not be taken for one that nothing names.
  const data = await DataUnderTest.start(t);
  const orphans = await runTool(t, ['orphans', '--remove'], { ...module.env, ...data.env });
  assert.equal(orphans.code, 2);
  assert.match(orphans.stderr, /"\\u0001b!k", which belongs to no database/);
});

test('a restore that was cut off is completed by the same backup only', async t => {
  const module = await MetadataUnderTest.start(t);
  const folder = await temporaryFolder(t);
  const [monday, tuesday] = [path.join(folder, 'monday'), path.join(folder, 'tuesday')];
  for (let n = 0; n < 3000; n += 1) await module.put('monday', `k${n}`, { n });
  assert.equal((await runTool(t, ['backup', monday], module.env)).code, 0);
  await module.call('monday', 'del', 'k1', {});
  assert.equal((await runTool(t, ['backup', tuesday], module.env)).code, 0);
  const { dataDir } = await newPlace(t, 'leveldown');
  const target = await OpenedLocation.open(
    parseLocation('--to', `leveldown:${path.join(dataDir, 'metadata')}`),
    {},
    silentLogger(),
  );
  t.after(() => target.close());
  const { signal } = new AbortController();
  const restore = (file: string, onLine: () => void): Promise<unknown> =>
    restoreBackup({ file, target, onLine, signal });
  let lines = 0;
  const cutOff = (): void => {
    if ((lines += 1) === 2500) throw new Error('cut off');
  };
  await assert.rejects(restore(monday, cutOff), /cut off/);
  await assert.rejects(
    restore(tuesday, () => undefined),
    /is an unfinished copy of something else, backup of .* with SHA-256/,
  );
  await assert.rejects(
    refuseUnfinishedCopy(key => getValue(target.level, key)),
    /unfinished copy of backup of .*: complete it with what began it, npm run metadata:copy or restore/,
  );
  await restore(monday, () => undefined);
  await refuseUnfinishedCopy(key => getValue(target.level, key));
});

test('a backup replaces no file, and leaves none when it fails', async t => {
  const module = await MetadataUnderTest.start(t);
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'backup');
  await writeFile(file, 'mine');
  const taken = await runTool(t, ['backup', file], module.env);
  assert.equal(taken.code, 2);
  assert.match(taken.stderr, /is there already/);
  assert.equal(await readFile(file, 'utf8'), 'mine');
  await truncate(file);
  const nowhere = await runTool(t, ['backup', path.join(folder, 'missing', 'b')], module.env);
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.stderr, /cannot write/);
  assert.deepEqual(await readdir(folder), ['backup']);
});
