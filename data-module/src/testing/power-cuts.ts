/** The power of a volume's disk is cut while clients store and delete: what they were told is there when it is mounted again. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CuttableDisk, type DiskType } from '@zenko-modules/common/testing/cuttable-disk';
import { sleep } from '@zenko-modules/common/deadline';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { type Random, seededRandom } from '@zenko-modules/common/testing/random';
import { isErrorType } from '@zenko-modules/common/errors';
import { digestOf, generatedBytes } from './generated-bytes.js';
import { HttpStore } from './http-store.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const CLIENTS = 12;
const ROUNDS = Number(process.env.POWER_CUTS ?? 2);
const KiB = 1024;

/** Mostly small ones; a few are written past the page cache. */
function sizeOf(random: Random): number {
  const kind = random.integer(0, 29);
  if (kind === 0) return random.integer(1024 * KiB, 1300 * KiB);
  return random.integer(0, kind > 3 ? 8 * KiB : 300 * KiB);
}

export interface PowerCutOptions {
  readonly type: DiskType;
  /** The settings of the module whose volume lies in `folder`. */
  readonly settings: (folder: string) => Readonly<Record<string, string>>;
}

export async function cutThePower(t: TestContext, { type, settings }: PowerCutOptions): Promise<void> {
  const random = seededRandom(t);
  const disk = await CuttableDisk.make(t, type);
  const volume = path.join(disk.folder, 'volume');
  await mkdir(volume);
  const env = { DATA_PORT: '0', DATA_PROBE_PORT: '0', LOG_LEVEL: 'fatal', ...settings(volume) };
  /** What was told to be there, by key. */
  const there = new Map<string, string>();
  const gone = new Set<string>();
  let [body, cut, deleted] = [random.seed, 0, 0];

  for (let round = 0; ; round += 1) {
    // On a busy machine clients may all be between two calls.
    const isLast = round >= ROUNDS && (cut > 0 || round >= 5 * ROUNDS);
    const daemon = await startDaemon(t, { entry: MAIN, env });
    const store = new HttpStore(daemon.ports.DATA_PORT ?? 0);
    for (const [key, sha256] of there)
      assert.equal((await digestOf(await store.get(key))).sha256, sha256, `round ${round}: ${key}`);
    for (const key of gone)
      await assert.rejects(store.stat(key), err => isErrorType(err, 'ObjNotFound'), `round ${round}: ${key}`);
    if (isLast) {
      await store.close();
      assert.deepEqual(await daemon.kill('SIGTERM'), { code: 0, signal: null });
      break;
    }
    const over = new AbortController();
    const isOver = (): boolean => over.signal.aborted;
    t.after(() => over.abort());
    const client = async (): Promise<void> => {
      while (!isOver()) {
        const seed = (body += 1);
        const size = sizeOf(random);
        const { sha256 } = await digestOf(generatedBytes(seed, size));
        try {
          there.set(await store.put(generatedBytes(seed, size), size), sha256);
          if (random.integer(0, 2) > 0) continue;
          const keys = [...there.keys()];
          const key = keys[random.integer(0, keys.length - 1)] ?? '';
          // Until it is told to be deleted, it may be there or not.
          if (!there.delete(key)) continue;
          await store.delete(key);
          gone.add(key);
          deleted += 1;
        } catch (err) {
          if (!isOver()) throw err;
          cut += 1;
        }
      }
    };
    const clients = Promise.all(Array.from({ length: CLIENTS }, client));
    await sleep(random.integer(200, 1500));
    over.abort();
    disk.cut();
    await daemon.kill('SIGKILL');
    await clients;
    await store.close();
    await disk.unmount();
    disk.mount();
  }
  assert.ok(cut > 0, 'the cuts hit calls in their midst');
  t.diagnostic(`${there.size} there, ${deleted} deleted, ${cut} cut off`);
}
