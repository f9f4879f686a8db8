/** The package leveldown with types that agree with what it exports. */
import { createRequire } from 'node:module';
import type leveldownTypes from 'leveldown';

const require = createRequire(import.meta.url);

/** Makes a LevelDB store for the folder `location`; `leveldown.destroy` deletes one. */
export const leveldown = require('leveldown') as typeof leveldownTypes.default;
