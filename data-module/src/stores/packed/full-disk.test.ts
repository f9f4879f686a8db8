/** A disk that is full, with readers beside. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { runOnSmallDisk, smallDiskMissing } from '@zenko-modules/common/testing/small-disk';

const SCENARIO = fileURLToPath(new URL('testing/full-disk-scenario.js', import.meta.url));
const START_SCENARIO = fileURLToPath(new URL('testing/full-disk-start-scenario.js', import.meta.url));

test(
  'a full disk refuses puts, serves reads, leaves no half record, and takes blobs again when there is room',
  { skip: smallDiskMissing },
  async t => {
    assert.match(await runOnSmallDisk(t, SCENARIO, 8), /full, readable and writable again/);
  },
);

test(
  'a start on a disk that others have filled serves reads and refuses the rest, takes deletions once they find room, and goes on when there is more',
  { skip: smallDiskMissing },
  async t => {
    assert.match(await runOnSmallDisk(t, START_SCENARIO, 8), /started on a full disk/);
  },
);
