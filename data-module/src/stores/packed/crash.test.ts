/** The process is killed in the midst of puts, deletions, compaction and the writing of hint files. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { HttpStore } from '../../testing/http-store.js';

const MAIN = fileURLToPath(new URL('../../main.js', import.meta.url));
/** Hundreds of them by hand: `CRASH_KILLS=300 npm test -- packed/crash`. */
const KILLS = Number(process.env.CRASH_KILLS ?? 8);
const CLIENTS = 8;
/** Every so many kills what was kept longest is read as well. */
const READ_ALL_EVERY = 10;

test('after SIGKILL what was acknowledged is whole, what was deleted is gone', async t => {
  const random = seededRandom(t);
  const folder = await temporaryFolder(t);
  const env = {
    DATA_BACKEND: 'packed',
    DATA_DIR: folder,
    DATA_PORT: '0',
    DATA_PROBE_PORT: '0',
    LOG_LEVEL: 'warn',
    PACKED_MAX_BLOB_BYTES: '65536',
    PACKED_SEGMENT_BYTES: '1048576',
    PACKED_COMPACT_PERCENT: '20',
    PACKED_COMPACT_BYTES_PER_SECOND: String(4 * 1024 * 1024),
    PACKED_RESERVE_BYTES: '0',
  };
  const kept = new Map<string, Buffer>();
  const deleted = new Set<string>();
  let removedSegments = 0;
  let highest = 0;

  const verify = async (store: HttpStore, keys: Iterable<string>): Promise<void> => {
    for (const key of keys) {
      const bytes = kept.get(key);
      if (bytes !== undefined) assert.ok((await buffer(await store.get(key))).equals(bytes), key);
    }
    for (const key of deleted)
      await assert.rejects(store.stat(key), err => isErrorType(err, 'ObjNotFound'), key);
    deleted.clear();
  };

  // On a busy machine little is written between two kills: there are more then, until there was something to compact.
  for (let kill = 1; kill <= KILLS || (removedSegments === 0 && kill <= 5 * KILLS); kill += 1) {
    const daemon = await startDaemon(t, { entry: MAIN, env });
    const store = new HttpStore(daemon.ports.DATA_PORT ?? 0);
    const newest = [...kept.keys()].slice(-200);
    await verify(store, kill % READ_ALL_EVERY === 0 ? kept.keys() : newest);
    const killed = new AbortController();
    const isAlive = (): boolean => !killed.signal.aborted;
    /** Whether a deletion without an answer was done, nobody knows. */
    const client = async (): Promise<void> => {
      while (isAlive()) {
        const oldest = kept.keys().next().value;
        const size = random.integer(0, 9) === 0 ? random.integer(60_000, 70_000) : random.integer(0, 20_000);
        const bytes = Buffer.alloc(size, random.integer(0, 255));
        try {
          if (oldest !== undefined && kept.size > 300) {
            kept.delete(oldest);
            await store.delete(oldest);
            deleted.add(oldest);
          }
          kept.set(await store.put(Readable.from([bytes]), size), bytes);
        } catch (err) {
          if (isAlive()) throw err;
        }
      }
    };
    const clients = Promise.all(Array.from({ length: CLIENTS }, client));
    await sleep(random.integer(150, 900));
    killed.abort();
    await daemon.kill('SIGKILL');
    await clients;
    await store.close();
    const numbers = (await readdir(path.join(folder, 'data-packed/segments')))
      .filter(name => name.endsWith('.seg'))
      .map(name => Number(name.slice(0, 8)));
    highest = Math.max(highest, ...numbers);
    removedSegments = highest - numbers.length;
  }
  const daemon = await startDaemon(t, { entry: MAIN, env });
  const store = new HttpStore(daemon.ports.DATA_PORT ?? 0);
  await verify(store, kept.keys());
  assert.ok(removedSegments > 0, 'compaction was at work');
  t.diagnostic(
    `${KILLS} kills, ${kept.size} blobs, ${highest} segments of which ${removedSegments} were compacted`,
  );
  await store.close();
  assert.deepEqual(await daemon.kill('SIGTERM'), { code: 0, signal: null });
});
