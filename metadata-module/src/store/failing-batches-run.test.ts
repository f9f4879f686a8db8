import { testFailingBatches } from '../testing/failing-batches-run.js';
import { LEVELDOWN } from '../testing/level-place.js';

testFailingBatches(LEVELDOWN);
