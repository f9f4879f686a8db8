import path from 'node:path';
import test from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { runAbstractLevelDownSuite } from '../../testing/abstract-leveldown-suite.js';
import { JsonDown } from './json-down.js';

test("jsondown passes abstract-leveldown's own suite", async t => {
  const folder = await temporaryFolder(t);
  let made = 0;
  await runAbstractLevelDownSuite(t, {
    factory: () => {
      made += 1;
      return new JsonDown(path.join(folder, String(made)));
    },
  });
});
