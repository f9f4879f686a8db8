/** A disk that is full. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { runOnSmallDisk, smallDiskMissing } from '@zenko-modules/common/testing/small-disk';

const SCENARIO = fileURLToPath(new URL('../../testing/full-disk-scenario.js', import.meta.url));
const START_SCENARIO = fileURLToPath(new URL('../../testing/full-disk-start-scenario.js', import.meta.url));
const JOURNAL_SCENARIO = fileURLToPath(
  new URL('../../testing/full-disk-journal-scenario.js', import.meta.url),
);

test(
  'a full disk is ServiceUnavailable, leaves nothing, and takes blobs again when there is room',
  { skip: smallDiskMissing },
  async t => {
    assert.match(await runOnSmallDisk(t, SCENARIO, 8), /full, cleaned up and writable again/);
  },
);

test(
  'a start on a disk that is full after a kill serves, takes deletions, and tidies up when there is room',
  { skip: smallDiskMissing },
  async t => {
    assert.match(await runOnSmallDisk(t, START_SCENARIO, 8), /started on a full disk/);
  },
);

test(
  'a disk that stays full under uploads gets no more files of the journal, also after a kill, and loses nothing',
  { skip: smallDiskMissing },
  async t => {
    assert.match(await runOnSmallDisk(t, JOURNAL_SCENARIO, 8), /as many files as before/);
  },
);
