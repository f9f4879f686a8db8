import { testLevelDown } from '../../testing/leveldown-contract.js';
import { testVersioningModel } from '../../testing/versioning-model.js';
import { JSONDOWN } from './testing/kind.js';

testLevelDown(JSONDOWN);
testVersioningModel(JSONDOWN);
