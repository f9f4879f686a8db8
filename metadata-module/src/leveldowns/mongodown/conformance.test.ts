/**
 * Recorded CloudServer traffic against a daemon on mongodown, where the recording stands beside the project.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { newPlace } from './testing/databases.js';

const PROJECT = fileURLToPath(new URL('../../../../', import.meta.url));
const REPLAY = fileURLToPath(new URL('../../../../../shared/conformance/replay.mjs', import.meta.url));
const skip = existsSync(REPLAY) ? mongodbMissing : 'needs ../shared/conformance beside the project';

test('the metadata module on mongodown agrees with every recorded call', { skip }, async t => {
  const { url, database } = await newPlace(t);
  const daemon = await startDaemon(t, {
    entry: fileURLToPath(new URL('../../main.js', import.meta.url)),
    env: {
      METADATA_BACKEND: 'mongodown',
      MONGODB_URL: url,
      MONGODB_DATABASE: database,
      DATA_DIR: await temporaryFolder(t),
      METADATA_PORT: '0',
      METADATA_PROBE_PORT: '0',
      LOG_LEVEL: 'warn',
    },
  });
  const args = [REPLAY, '--url', `http://127.0.0.1:${daemon.ports.METADATA_PORT ?? ''}`];
  const printed = await new Promise<string>(resolve => {
    execFile(
      process.execPath,
      args,
      { cwd: PROJECT, maxBuffer: 16 * 1024 * 1024 },
      (_err, stdout, stderr) => {
        resolve(stdout + stderr);
      },
    );
  });
  assert.match(printed, /^671 passed, 0 failed$/m);
});
