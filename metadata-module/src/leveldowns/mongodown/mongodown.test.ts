import test from 'node:test';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { runAbstractLevelDownSuite } from '../../testing/abstract-leveldown-suite.js';
import type { LevelKind } from '../../testing/level-place.js';
import { testLevelDown } from '../../testing/leveldown-contract.js';
import { newPlace, newStore, serverUrl } from './testing/databases.js';
import { randomUUID } from 'node:crypto';

const MONGODOWN: LevelKind = {
  name: 'mongodown',
  permanent: true,
  effort: 0.02,
  place: async t => {
    const place = await newPlace(t);
    return { level: () => newStore(place) };
  },
};

if (mongodbMissing === false) testLevelDown(MONGODOWN);

test("mongodown passes abstract-leveldown's own suite", { skip: mongodbMissing }, async t => {
  const url = await serverUrl();
  await runAbstractLevelDownSuite(t, {
    factory: () => newStore({ url, database: `test-${randomUUID()}`, collection: 'metadata' }),
    snapshots: false,
  });
});
