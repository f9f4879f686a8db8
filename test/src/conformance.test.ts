/** The modules against recorded CloudServer traffic, where the recording stands beside the project. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { replayRecordedTraffic } from '@zenko-modules/metadata-module/testing/recorded-traffic';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const CONFORMANCE = path.join(PROJECT, '../shared/conformance');
const skip = existsSync(CONFORMANCE) ? false : 'needs ../shared/conformance beside the project';

/** Runs a script of the conformance folder and returns what it printed. */
function run(script: string, args: readonly string[]): Promise<string> {
  return new Promise(resolve => {
    const options = { cwd: PROJECT, maxBuffer: 16 * 1024 * 1024 };
    execFile(process.execPath, [path.join(CONFORMANCE, script), ...args], options, (_err, stdout, stderr) => {
      resolve(stdout + stderr);
    });
  });
}

test('the data module passes every REST check, the strict ones too', { skip }, async t => {
  const daemon = await startDaemon(t, {
    entry: path.join(PROJECT, 'data-module/dist/main.js'),
    env: { DATA_DIR: await temporaryFolder(t), DATA_PORT: '0', DATA_PROBE_PORT: '0', LOG_LEVEL: 'warn' },
  });
  const url = `http://127.0.0.1:${daemon.ports.DATA_PORT ?? ''}`;
  assert.match(await run('data-rest.mjs', ['--url', url, '--strict']), /^50 passed, 0 failed$/m);
});

test('the metadata module agrees with every recorded call', { skip }, async t => {
  const daemon = await startDaemon(t, {
    entry: path.join(PROJECT, 'metadata-module/dist/main.js'),
    env: {
      DATA_DIR: await temporaryFolder(t),
      METADATA_PORT: '0',
      METADATA_PROBE_PORT: '0',
      LOG_LEVEL: 'warn',
    },
  });
  const url = `http://127.0.0.1:${daemon.ports.METADATA_PORT ?? ''}`;
  const { printed, corrected } = await replayRecordedTraffic(t, url);
  assert.match(printed, /^671 passed, 0 failed$/m);
  assert.equal(corrected, 8, 'listings that showed less than there was when they were recorded');
});
