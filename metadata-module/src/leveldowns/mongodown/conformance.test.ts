/**
 * Recorded CloudServer traffic against a daemon on mongodown, where the recording stands beside the project.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { recordedTrafficMissing, replayRecordedTraffic } from '../../testing/recorded-traffic.js';
import { newPlace } from './testing/databases.js';

const skip = recordedTrafficMissing || mongodbMissing;

test('the metadata module on mongodown agrees with every recorded call', { skip }, async t => {
  const { url: mongodb, database } = await newPlace(t);
  const daemon = await startDaemon(t, {
    entry: fileURLToPath(new URL('../../main.js', import.meta.url)),
    env: {
      METADATA_BACKEND: 'mongodown',
      MONGODB_URL: mongodb,
      MONGODB_DATABASE: database,
      DATA_DIR: await temporaryFolder(t),
      METADATA_PORT: '0',
      METADATA_PROBE_PORT: '0',
      LOG_LEVEL: 'warn',
    },
  });
  const url = `http://127.0.0.1:${daemon.ports.METADATA_PORT ?? ''}`;
  const { printed } = await replayRecordedTraffic(t, url);
  assert.match(printed, /^671 passed, 0 failed$/m);
});
