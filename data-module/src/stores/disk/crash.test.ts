/** The process is killed in the midst of uploads: what was acknowledged is whole, and nothing half is there. */
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { digestOf, generatedBytes } from '../../testing/generated-bytes.js';
import { HttpStore } from '../../testing/http-store.js';

const MAIN = fileURLToPath(new URL('../../main.js', import.meta.url));
const UPLOADERS = 12;
const ROUNDS = 4;

for (const workers of ['1', '2']) {
  test(`after SIGKILL every acknowledged blob is whole, no half one is there, and leftovers are swept: ${workers} workers`, t =>
    killInTheMidst(t, workers));
}

async function killInTheMidst(t: TestContext, workers: string): Promise<void> {
  const random = seededRandom(t);
  const folder = await temporaryFolder(t);
  const env = {
    DATA_DIR: folder,
    DATA_PORT: '0',
    DATA_PROBE_PORT: '0',
    LOG_LEVEL: 'warn',
    DATA_WORKERS: workers,
  };
  const volume = path.join(folder, 'data');
  const acknowledged = new Map<string, string>();
  const sent = new Set<string>();
  let body = random.seed;
  let [cut, leftovers] = [0, 0];

  // On a busy machine clients may all be between two uploads.
  for (let round = 0; round < ROUNDS || (cut === 0 && round < 5 * ROUNDS); round += 1) {
    const daemon = await startDaemon(t, { entry: MAIN, env });
    const store = new HttpStore(daemon.ports.DATA_PORT ?? 0);
    const kill = new AbortController();
    const isAlive = (): boolean => !kill.signal.aborted;
    const uploader = async (): Promise<void> => {
      while (isAlive()) {
        const seed = (body += 1);
        const size = random.integer(0, 3 * 1024 * 1024);
        const { sha256 } = await digestOf(generatedBytes(seed, size));
        sent.add(sha256);
        try {
          acknowledged.set(await store.put(generatedBytes(seed, size), size), sha256);
        } catch (err) {
          if (isAlive()) throw err;
          cut += 1;
        }
      }
    };
    const uploads = Promise.all(Array.from({ length: UPLOADERS }, uploader));
    await sleep(random.integer(300, 900));
    kill.abort();
    await daemon.kill('SIGKILL');
    await uploads;
    await store.close();
    leftovers += (await readdir(path.join(volume, '.uploads'))).length;
  }
  assert.ok(cut > 0, 'the kills hit uploads in their midst');
  // Workers may live long enough to remove what they had begun.
  await writeFile(path.join(volume, '.uploads', '0.cut-off'), 'half of a bl');

  const daemon = await startDaemon(t, { entry: MAIN, env });
  assert.deepEqual(await readdir(path.join(volume, '.uploads')), []);
  const store = new HttpStore(daemon.ports.DATA_PORT ?? 0);
  for (const [key, sha256] of acknowledged)
    assert.equal((await digestOf(await store.get(key))).sha256, sha256, key);
  const files = (await readdir(volume, { recursive: true, withFileTypes: true })).filter(
    entry => entry.isFile() && /^\d+$/.test(path.basename(entry.parentPath)),
  );
  for (const file of files) {
    const { sha256 } = await digestOf(createReadStream(path.join(file.parentPath, file.name)));
    assert.ok(sent.has(sha256), `${file.name} is a whole body`);
  }
  t.diagnostic(
    `${acknowledged.size} acknowledged, ${files.length} there, ${cut} cut, ${leftovers} leftovers`,
  );
  await store.close();
  assert.deepEqual(await daemon.kill('SIGTERM'), { code: 0, signal: null });
}
