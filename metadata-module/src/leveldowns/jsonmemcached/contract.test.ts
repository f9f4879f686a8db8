import path from 'node:path';
import test from 'node:test';
import { memcachedMissing } from '@zenko-modules/common/testing/memcached-server';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { runAbstractLevelDownSuite } from '../../testing/abstract-leveldown-suite.js';
import { testLevelDown } from '../../testing/leveldown-contract.js';
import { testVersioningModel } from '../../testing/versioning-model.js';
import { JsonMemcached } from './json-memcached.js';
import { JSONMEMCACHED, serverPort } from './testing/kind.js';

test("jsonmemcached passes abstract-leveldown's own suite", { skip: memcachedMissing }, async t => {
  const folder = await temporaryFolder(t);
  const servers = [{ host: '127.0.0.1', port: await serverPort() }];
  let made = 0;
  await runAbstractLevelDownSuite(t, {
    factory: () => {
      made += 1;
      return new JsonMemcached({ servers, folder: path.join(folder, String(made)), name: `store${made}` });
    },
  });
});

if (memcachedMissing === false) {
  testLevelDown(JSONMEMCACHED);
  testVersioningModel(JSONMEMCACHED);
} else {
  test('jsonmemcached keeps the contract of a LevelDOWN', { skip: memcachedMissing });
}
