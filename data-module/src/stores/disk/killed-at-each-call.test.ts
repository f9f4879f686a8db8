/**
 * The process is killed at each call to the system that large uploads make, one after the other, on one volume, while it
 * reads, and stores and deletes small ones: what was told is whole, what was deleted is gone, and nothing half is there.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { straceMissing } from '@zenko-modules/common/testing/strace';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { digestOf, generatedBytes } from '../../testing/generated-bytes.js';
import { UPLOADS_FOLDER } from './disk-layout.js';
import { openDiskStore } from './disk-store.js';

const moduleAt = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);

/** Three writes past the cache, and a rest through it. */
const LARGE_BYTES = 1.5 * 1024 * 1024 + 5;
const SMALL_BYTES = 1000;
/** Stored and deleted beside the large ones. */
const SMALL_BLOBS = 2;
/** Far more of a call than one run makes. */
const MOST_CALLS = 60;

/** Says what it has stored and deleted when it is told so itself. Each blob is of the seed that it is told with. */
const script = (volume: string, seed: number): string => `
  import { writeSync } from 'node:fs';
  import { setImmediate as nextTurn } from 'node:timers/promises';
  const { openDiskStore } = await import(${moduleAt('disk-store.js')});
  const { digestOf, generatedBuffer, generatedBytes } = await import(${moduleAt('../../testing/generated-bytes.js')});
  const { silentLogger } = await import('@zenko-modules/common/logger');
  const say = (...words) => writeSync(1, words.join(' ') + '\\n');
  const store = await openDiskStore(${JSON.stringify(volume)}, silentLogger(), { folders: 'as needed' });
  const small = await generatedBuffer(${seed}, ${SMALL_BYTES});
  let busy = true;
  const reader = async (key, seed, size) => {
    const { sha256 } = await digestOf(generatedBytes(seed, size));
    while (busy) {
      if ((await digestOf(await store.get(key))).sha256 !== sha256) throw new Error(key + ' is another');
      // What is in memory is read within this turn, and would leave no other to the uploads.
      await nextTurn();
    }
  };
  const writer = async () => {
    for (let n = 0; n < ${SMALL_BLOBS}; n += 1) {
      const key = await store.putSmall(small);
      say('stored', key, ${seed}, ${SMALL_BYTES});
      say('deleting', key);
      await store.delete(key);
      say('deleted', key);
    }
  };
  const first = await store.putSmall(small);
  say('stored', first, ${seed}, ${SMALL_BYTES});
  const others = [reader(first, ${seed}, ${SMALL_BYTES}), writer()];
  for (const n of [1, 2]) {
    const key = await store.put(generatedBytes(${seed} + n, ${LARGE_BYTES}), ${LARGE_BYTES});
    say('stored', key, ${seed} + n, ${LARGE_BYTES});
    others.push(reader(key, ${seed} + n, ${LARGE_BYTES}));
  }
  busy = false;
  await Promise.all(others);
  await store.close();`;

test(
  'killed at any call of a large upload, again and again, a volume holds what was told and nothing half',
  {
    skip: straceMissing,
  },
  async t => {
    const volume = await temporaryFolder(t);
    const stored = new Map<string, string>();
    const deleted = new Set<string>();
    const whole = new Set<string>();
    const kills: string[] = [];
    let seed = 0;

    const runUntil = async (call: string, count: number): Promise<boolean> => {
      seed += 3;
      for (const [n, size] of [SMALL_BYTES, LARGE_BYTES, LARGE_BYTES].entries())
        whole.add((await digestOf(generatedBytes(seed + n, size))).sha256);
      // One thread for calls, as strace counts those of each.
      const run = spawnSync(
        'strace',
        [
          ...[
            '-f',
            '-o',
            '/dev/null',
            '-e',
            `trace=${call}`,
            '-e',
            `inject=${call}:signal=SIGKILL:when=${count}`,
          ],
          ...[process.execPath, '--input-type=module', '-e', script(volume, seed)],
        ],
        { cwd: import.meta.dirname, encoding: 'utf8', env: { ...process.env, UV_THREADPOOL_SIZE: '1' } },
      );
      const isKilled = run.signal === 'SIGKILL' || run.status === 137;
      assert.ok(isKilled || run.status === 0, run.stderr);
      for (const line of run.stdout.split('\n')) {
        const [word, key = '', ofSeed, size] = line.split(' ');
        if (word === 'stored')
          stored.set(key, (await digestOf(generatedBytes(Number(ofSeed), Number(size)))).sha256);
        // Until it is told that it is gone it may be there or not.
        else if (word === 'deleting') stored.delete(key);
        else if (word === 'deleted') deleted.add(key);
      }
      return isKilled;
    };

    for (const call of ['pwrite64', 'fsync', 'rename', 'unlink']) {
      let count = 1;
      while (await runUntil(call, count)) {
        assert.ok((count += 1) < MOST_CALLS, `${call}: so many`);
      }
      kills.push(`${call} ${count - 1}`);
      // The last one ended by itself: what is opened now is what a kill has left.
      await runUntil(call, 1);
      const store = await openDiskStore(volume, silentLogger(), { folders: 'as needed' });
      assert.deepEqual(await readdir(path.join(volume, UPLOADS_FOLDER)), [], 'leftovers are swept');
      for (const [key, sha256] of stored) {
        const blob = await store.get(key);
        assert.equal((await digestOf(blob)).sha256, sha256, key);
      }
      for (const key of deleted) await assert.rejects(store.stat(key), { type: 'ObjNotFound' });
      await store.close();
    }
    const files = (await readdir(volume, { recursive: true, withFileTypes: true })).filter(
      entry => entry.isFile() && /^\d+$/.test(path.basename(entry.parentPath)),
    );
    for (const file of files) {
      const { sha256 } = await digestOf(createReadStream(path.join(file.parentPath, file.name)));
      assert.ok(whole.has(sha256), `${file.name} is whole`);
    }
    t.diagnostic(
      `${kills.join(', ')}; ${stored.size} stored, ${deleted.size} deleted, ${files.length} files`,
    );
  },
);
