/** The process is killed in the midst of puts, deletions and cleaning: what was acknowledged has its checksum. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { crc32c } from '@node-rs/crc32';
import { silentLogger } from '@zenko-modules/common/logger';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { openDiskStore } from '../disk-store.js';

const SCENARIO = fileURLToPath(new URL('../../../testing/checksum-crash-scenario.js', import.meta.url));
/** Hundreds of them by hand: `CRASH_KILLS=300 npm test -- checksums/crash`. */
const KILLS = Number(process.env.CRASH_KILLS ?? 6);

test('after SIGKILL every acknowledged blob has its checksum', async t => {
  const random = seededRandom(t);
  const volume = await temporaryFolder(t);
  const kept = new Map<string, string>();
  let told = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const child = spawn(
      process.execPath,
      [SCENARIO, volume, String(kill), ...[...kept.keys()].slice(0, 200)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    t.after(() => child.kill('SIGKILL'));
    let left = random.integer(100, 500);
    for await (const line of createInterface({ input: child.stdout })) {
      const [what, key, body] = line.split(' ');
      if (key === undefined) continue;
      told += 1;
      // What is about to be deleted may be there or not.
      if (what === 'deleting') kept.delete(key);
      else if (body !== undefined) kept.set(key, body);
      if ((left -= 1) === 0) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    assert.equal(child.signalCode, 'SIGKILL');

    const store = await openDiskStore(volume, silentLogger(), { folders: 'as needed' });
    const found = new Set<string>();
    for await (const { key, checksums } of store.checkedKeys()) {
      const body = kept.get(key);
      if (body === undefined) continue;
      found.add(key);
      const whole = { length: body.length, checksum: crc32c(body) };
      assert.deepEqual(checksums?.[0], whole, key);
    }
    assert.equal(found.size, kept.size);
    await store.close();
  }
  const logs = await readdir(path.join(volume, '.checksums'));
  t.diagnostic(`${told} told, ${kept.size} there, ${logs.length} logs`);
});
