import { LEVELDOWN, MEMDOWN } from '../testing/level-place.js';
import { testVersioningModel } from '../testing/versioning-model.js';

testVersioningModel(MEMDOWN);
testVersioningModel(LEVELDOWN);
