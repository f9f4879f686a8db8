import { JsonDown } from '../json-down.js';

/** For `crash-writer.js`. Journals are small, so that snapshots are taken all the time. */
export function open(folder: string): JsonDown {
  return new JsonDown(folder, { journalMinBytes: 4096 });
}
