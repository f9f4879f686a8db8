import test from 'node:test';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { testFailingBatches } from '../../testing/failing-batches-run.js';
import { MONGODOWN } from './testing/kind.js';

if (mongodbMissing === false) testFailingBatches(MONGODOWN);
else test('mongodown with failing batches', { skip: mongodbMissing }, () => undefined);
