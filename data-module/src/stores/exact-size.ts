import { Transform } from 'node:stream';
import { CatalogueError } from '@zenko-modules/common/errors';

/**
 * Passes on exactly `size` bytes. Fails with `IncompleteBody` when its source ends early, and with
 * `InvalidInput` at the first byte too many, before that byte is passed on.
 */
export function exactSize(size: number): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > size) done(new CatalogueError('InvalidInput', `more than the announced ${size} bytes came`));
      else done(null, chunk);
    },
    flush(done) {
      if (seen === size) done();
      else done(new CatalogueError('IncompleteBody', `${seen} of the announced ${size} bytes came`));
    },
  });
}
