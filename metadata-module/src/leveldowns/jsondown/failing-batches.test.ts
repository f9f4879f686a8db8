import { testFailingBatches } from '../../testing/failing-batches-run.js';
import { JSONDOWN } from './testing/kind.js';

testFailingBatches(JSONDOWN);
