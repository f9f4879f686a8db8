/** What every LevelDOWN of ours must pass, on mongodown. */
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { runAbstractLevelDownSuite } from '../../testing/abstract-leveldown-suite.js';
import { testCrash } from '../../testing/crash-run.js';
import { testLevelDown } from '../../testing/leveldown-contract.js';
import { testVersioningModel } from '../../testing/versioning-model.js';
import { newStore, serverUrl } from './testing/databases.js';
import { MONGODOWN, MONGODOWN_DAEMON } from './testing/kind.js';

if (mongodbMissing === false) {
  testLevelDown(MONGODOWN);
  testVersioningModel(MONGODOWN);
  testCrash(MONGODOWN_DAEMON);
}

test("mongodown passes abstract-leveldown's own suite", { skip: mongodbMissing }, async t => {
  const url = await serverUrl();
  await runAbstractLevelDownSuite(t, {
    factory: () => newStore({ url, database: `test-${randomUUID()}`, collection: 'metadata' }),
    snapshots: false,
  });
});
