/** What the stack files promise of the services that run our images. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
/** Of images that are built from this repository; CloudServer's own is another's. */
const OURS = /\/zenko-(data|metadata)-module:/;

interface Service {
  readonly image?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly privileged?: boolean;
  readonly user?: string;
}

async function stackFiles(): Promise<string[]> {
  const [root, deploy] = await Promise.all([readdir(PROJECT), readdir(path.join(PROJECT, 'deploy'))]);
  return [
    ...root.filter(name => /^docker-stack.*\.yml$/.test(name)),
    ...deploy.filter(name => name.endsWith('.yml')).map(name => `deploy/${name}`),
  ];
}

test('every service of ours has a read-only root and no capability, and no file gives one back', async () => {
  let ours = 0;
  for (const file of await stackFiles()) {
    const { services = {} } = parse(await readFile(path.join(PROJECT, file), 'utf8'), { merge: true }) as {
      services?: Readonly<Record<string, Service>>;
    };
    for (const [name, service] of Object.entries(services)) {
      const place = `${file}: ${name}`;
      if (OURS.test(service.image ?? '')) {
        ours += 1;
        assert.equal(service.read_only, true, place);
        assert.deepEqual(service.cap_drop, ['ALL'], place);
      }
      // A file that is laid over another one has no image of its own, and could still undo this.
      assert.notEqual(service.read_only, false, place);
      for (const undone of ['cap_add', 'privileged', 'user'] as const)
        assert.equal(service[undone], undefined, `${place}: ${undone}`);
    }
  }
  assert.ok(ours >= 4, 'both modules, the populator and a processor');
});
