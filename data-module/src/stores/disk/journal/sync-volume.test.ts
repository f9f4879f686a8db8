import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { cuttableDiskMissing } from '@zenko-modules/common/testing/cuttable-disk';
import { syncVolume } from './sync-volume.js';

const MiB = 1024 * 1024;

interface FailingDisk {
  readonly folder: string;
  /** From now on it takes nothing more, or again. */
  readonly fail: (fails: boolean) => void;
}

/** Without a journal of its own, which would end the file system with the first failure. It lies in a memory that can be filled. */
async function failingDisk(t: TestContext): Promise<FailingDisk> {
  const parent = await mkdtemp(path.join(os.tmpdir(), 'zenko-modules-'));
  const [memory, folder] = [path.join(parent, 'memory'), path.join(parent, 'disk')];
  await mkdir(memory);
  await mkdir(folder);
  t.after(async () => {
    spawnSync('umount', ['--lazy', folder, memory]);
    await rm(parent, { recursive: true, force: true, maxRetries: 5 });
  });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'none', memory]);
  const image = path.join(memory, 'image');
  writeFileSync(image, '');
  truncateSync(image, 64 * MiB);
  execFileSync('mkfs.ext4', ['-q', '-F', '-O', '^has_journal', '-E', 'lazy_itable_init=0', image]);
  execFileSync('mount', ['-o', 'loop', image, folder]);
  const filler = path.join(memory, 'filler');
  return {
    folder,
    fail: fails => {
      if (fails) assert.throws(() => writeFileSync(filler, Buffer.alloc(24 * MiB)), { code: 'ENOSPC' });
      else rmSync(filler);
    },
  };
}

test(
  'what the disk has lost is told, whoever else has been told of it before',
  { skip: cuttableDiskMissing('ext4') },
  async t => {
    const { folder, fail } = await failingDisk(t);
    const files = ['one', 'other'].map(name => {
      writeFileSync(path.join(folder, name), name, { flush: true });
      return openSync(path.join(folder, name), 'r');
    });
    t.after(() => files.forEach(closeSync));
    for (const file of files) assert.equal(await syncVolume(file), 'synced');
    fail(true);
    writeFileSync(path.join(folder, 'lost'), Buffer.alloc(4 * MiB, 'x'));
    const somebody = (): number | null => spawnSync('sync', ['-f', folder]).status;
    assert.equal(somebody(), 1);
    assert.equal(somebody(), 0, 'is told once');
    for (const file of files) assert.equal(await syncVolume(file), 'failed');
    fail(false);
    writeFileSync(path.join(folder, 'kept'), 'x');
    const file = openSync(path.join(folder, 'kept'), 'r');
    files.push(file);
    assert.equal(await syncVolume(file), 'synced');
  },
);
