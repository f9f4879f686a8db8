import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** Has what nobody holds any more taken away, now. */
export const collectGarbage = runInNewContext('gc') as () => void;
