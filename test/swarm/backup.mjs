/** Back up and restore as docs/swarm.md says it for the minimal stack. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { docker } from './docker.mjs';
import { NODE_IMAGE } from './images.mjs';
import { allHealthy, deploy, MINIMAL, removeStack, removeVolumes, scale, serviceName } from './stack.mjs';

const VOLUMES = ['data', 'metadata'];
/** Whatever writes. */
const WRITERS = { 's3-front': 2, 'hello-world': 1, populator: 1 };
const DEADLINE_MS = 120_000;

export async function backUpAndRestore(transcript, bucket) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'swarm-backup-'));
  try {
    for (const name of [...Object.keys(WRITERS), 'metadata-module']) await scale(name, 0);
    for (const volume of VOLUMES) {
      await tar(volume, folder, 'ro', ['-C', '/data', '-czf', `/backup/${volume}.tar.gz`, '.']);
    }
    await scale('metadata-module', 1);
    for (const [name, replicas] of Object.entries(WRITERS)) await scale(name, replicas);
    await allHealthy();
    transcript.check('backed up, and all healthy again', true);

    await removeStack();
    await removeVolumes();
    for (const volume of VOLUMES) {
      await tar(volume, folder, 'rw', ['-C', '/data', '-xzpf', `/backup/${volume}.tar.gz`]);
    }
    await deploy(MINIMAL);
    await allHealthy();
    const objects = await bucket.verifyAll();
    transcript.check('restored: every object is there with its bytes', true, `${objects} objects`);
    transcript.figure('minimal stack backed up and restored: objects found / missing', `${objects} / 0`);
    await bucket.putAndSeeTag('restored');
    transcript.check('restored: a new helloworld is tagged', true);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function tar(volume, folder, mode, args) {
  const mounts = ['-v', `${serviceName(volume)}:/data:${mode}`, '-v', `${folder}:/backup`];
  return docker(['run', '--rm', ...mounts, '--entrypoint', 'tar', NODE_IMAGE, ...args], {
    deadlineMs: DEADLINE_MS,
  });
}
