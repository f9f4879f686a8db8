/** A LevelDOWN whose opening does not end, as of a store on a disk that does not answer. */
import { createRequire } from 'node:module';

const MemDown = createRequire(import.meta.url)('memdown') as new () => object;

export default class NeverOpen extends MemDown {
  _open(): void {
    console.log('opening for ever');
  }
}
