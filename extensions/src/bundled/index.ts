/** The extensions that we ship. */
import type { Extension } from '../framework/contract/extension.js';
import { helloWorld } from './helloWorld/index.js';
import { sortByType } from './sortByType/index.js';
import { sortMusic } from './sortMusic/index.js';

export const BUNDLED: readonly Extension[] = [helloWorld, sortByType, sortMusic];
