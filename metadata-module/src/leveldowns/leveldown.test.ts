import { testLevelDown } from '../testing/leveldown-contract.js';
import { LEVELDOWN, MEMDOWN } from '../testing/level-place.js';

testLevelDown(LEVELDOWN);
testLevelDown(MEMDOWN);
