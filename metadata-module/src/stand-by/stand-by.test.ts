import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { Refusals } from '@zenko-modules/common/network/refusals';
import { readSettings } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { LEVEL_ERRORS, LevelError } from '../leveldowns/plugin.js';
import { createMetrics } from '../metadata-metrics.js';
import { METADATA_SETTINGS, planMetadataPorts } from '../metadata-settings.js';
import { Serving } from '../serving.js';
import { faultyLevel } from '../testing/faulty-level.js';
import { Doors } from './doors.js';
import { StandBy } from './stand-by.js';

test('a store that is lost after it was opened and before it is served is stood by for', async t => {
  const folder = await temporaryFolder(t);
  const faulty = await faultyLevel();
  const { level } = faulty;
  const error = new LevelError(LEVEL_ERRORS.fenced, 'another process has taken the store');
  // The first batch is that with the id of the deployment.
  faulty.faultOf = () => (faulty.opened === 1 ? { error, applied: false } : undefined);
  const log = silentLogger();
  const settings = readSettings(METADATA_SETTINGS, { DATA_DIR: folder, METADATA_PORT: '0' });
  const metrics = createMetrics(() => undefined);
  const refusals = new Refusals(log, metrics.refusedConnections);
  const doors = await Doors.open({ plan: planMetadataPorts(settings), refusals, log });
  const standBy = await StandBy.start({
    level,
    address: `127.0.0.1:${doors.ports['METADATA_PORT']}`,
    doors,
    log,
    serve: term =>
      Serving.start({
        level,
        settings,
        folder,
        uuidFolder: undefined,
        noteFolder: undefined,
        metrics,
        log,
        ...term,
      }),
    onFailed: err => assert.fail(String(err)),
  });
  t.after(() => standBy.close(4000));
  assert.equal(faulty.opened, 2);
  assert.deepEqual(standBy.details(), { role: 'owner' });
});
