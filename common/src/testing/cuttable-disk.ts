/**
 * A file system of its own whose power can be cut: from that moment nothing reaches its disk, and what had not reached it is lost,
 * as the file system's makers test it. It lies in a file, through a loop device, which takes root.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { sleep } from '../deadline.js';
import { skipReason } from './test-server.js';

export type DiskType = 'ext4' | 'xfs';

const MAKE: Readonly<Record<DiskType, readonly string[]>> = {
  ext4: ['mkfs.ext4', '-q', '-F'],
  xfs: ['mkfs.xfs', '-q', '-f'],
};
/** XFS' makers allow none below 300 MB. The file has holes. */
const BYTES = 320 * 1024 * 1024;

/** The call (`FS_IOC_SHUTDOWN`) and its argument: without writing out the journal. */
const CUT =
  'my $how = pack("L", 2); open(my $f, "<", $ARGV[0]) or die $!; ioctl($f, 0x8004587d, $how) or die $!';

/** For node:test's `skip`. */
export function cuttableDiskMissing(type: DiskType): string | false {
  if (process.getuid?.() !== 0) return 'needs root, to mount a disk whose power is cut';
  const [make = ''] = MAKE[type];
  for (const command of [make, 'perl', 'losetup'])
    if (spawnSync('which', [command]).status !== 0)
      return skipReason(false, `needs ${command}, for a disk whose power is cut`);
  return spawnSync('losetup', ['--find']).status === 0
    ? false
    : 'needs a loop device, for a disk whose power is cut';
}

export class CuttableDisk {
  readonly folder: string;
  readonly #image: string;

  private constructor(folder: string, image: string) {
    this.folder = folder;
    this.#image = image;
  }

  /** Mounted, and empty but for what its makers put there. */
  static async make(t: TestContext, type: DiskType): Promise<CuttableDisk> {
    const parent = await mkdtemp(path.join(os.tmpdir(), 'zenko-modules-'));
    const [folder, image] = [path.join(parent, 'disk'), path.join(parent, 'image')];
    await mkdir(folder);
    writeFileSync(image, '');
    truncateSync(image, BYTES);
    const [make = '', ...flags] = MAKE[type];
    execFileSync(make, [...flags, image]);
    const disk = new CuttableDisk(folder, image);
    disk.mount();
    t.after(async () => {
      spawnSync('umount', ['--lazy', folder]);
      await rm(parent, { recursive: true, force: true, maxRetries: 5 });
    });
    return disk;
  }

  mount(): void {
    execFileSync('mount', ['-o', 'loop', this.#image, this.folder]);
  }

  /** From now on every call fails that has to do with the disk. */
  cut(): void {
    execFileSync('perl', ['-e', CUT, this.folder]);
  }

  /**
   * Resolves when nobody has it mounted any more: files may be open for a moment after the end of their process, and others with
   * mounts of their own (`unshare`) have this one as well. Mounted before that, it would be the one whose power was cut.
   */
  async unmount(): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      const isInUse = spawnSync('umount', [this.folder]).status !== 0 && this.#isMounted();
      if (!isInUse && execFileSync('losetup', ['--associated', this.#image]).length === 0) return;
      if (tries > 600) throw new Error('somebody has the disk still mounted');
      await sleep(100);
    }
  }

  #isMounted(): boolean {
    return spawnSync('mountpoint', ['-q', this.folder]).status === 0;
  }
}
