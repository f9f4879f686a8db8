/** An abstract-leveldown store as somebody else publishes it: the class is all that the module exports. */
import { createRequire } from 'node:module';
import type { AbstractLevelDOWNConstructor } from 'abstract-leveldown';

export default createRequire(import.meta.url)('memdown') as AbstractLevelDOWNConstructor;
