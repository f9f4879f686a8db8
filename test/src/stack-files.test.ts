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
  readonly networks?: readonly string[];
  readonly deploy?: { readonly placement?: { readonly constraints?: readonly string[] } };
  readonly environment?: Readonly<Record<string, string>>;
}

type Services = Readonly<Record<string, Service>>;

async function servicesOf(file: string): Promise<Services> {
  const text = await readFile(path.join(PROJECT, file), 'utf8');
  return (parse(text, { merge: true }) as { services?: Services }).services ?? {};
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
    for (const [name, service] of Object.entries(await servicesOf(file))) {
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

/** Where the programs of our images have their probes, whatever the defaults are elsewhere. */
async function probePortOf(image: string): Promise<number> {
  const kind = OURS.exec(image)?.[1] ?? '';
  const dockerfile = await readFile(path.join(PROJECT, `Dockerfile.${kind}`), 'utf8');
  const ports = new Set(
    [...dockerfile.matchAll(/\b[A-Z]+_PROBE_PORT=(\d+)/g)].map(match => Number(match[1])),
  );
  assert.equal(ports.size, 1, image);
  return [...ports][0] ?? 0;
}

/** Our services as a stack has them: those of the base, with what each file adds. */
async function deployed(...files: readonly string[]): Promise<Readonly<Record<string, Service>>> {
  const services: Record<string, Service> = {};
  for (const file of ['docker-stack.base.yml', ...files])
    for (const [name, more] of Object.entries(await servicesOf(file))) {
      const before = services[name] ?? {};
      services[name] = {
        ...before,
        ...more,
        networks: [...(before.networks ?? []), ...(more.networks ?? [])],
        environment: { ...before.environment, ...more.environment },
      };
    }
  return Object.fromEntries(Object.entries(services).filter(([, { image = '' }]) => OURS.test(image)));
}

test('Prometheus asks every part of ours where its image has the probes', async () => {
  const asked = await readFile(path.join(PROJECT, 'monitoring/prometheus.yml'), 'utf8');
  for (const [name, { image = '' }] of Object.entries(await deployed()))
    assert.ok(asked.includes(`names: [tasks.${name}], type: A, port: ${await probePortOf(image)},`), name);
});

test('the status page of each part names all parts that it can reach', async () => {
  for (const files of [
    ['docker-stack.yml'],
    ['docker-stack.minimal.yml'],
    ['docker-stack.yml', 'deploy/cluster.yml'],
  ]) {
    const services = Object.entries(await deployed(...files));
    for (const [name, { networks = [], environment = {} }] of services) {
      const reached = services.filter(([, other]) =>
        other.networks?.some(network => networks.includes(network)),
      );
      const expected = reached.map(
        async ([part, { image = '' }]) => `${part}=${part}:${await probePortOf(image)}`,
      );
      assert.deepEqual(
        environment['STATUS_PARTS']?.split(','),
        await Promise.all(expected),
        `${files.join(' ')}: ${name}`,
      );
    }
  }
});

test('who may be started on other nodes by MODULES_ON is told so, and refuses where it keeps files', async () => {
  const services = Object.values(await servicesOf('docker-stack.base.yml'));
  const movable = services.filter(({ deploy }) =>
    deploy?.placement?.constraints?.some(constraint => constraint.includes('MODULES_ON')),
  );
  assert.equal(movable.length, 3, 'both modules and the populator');
  for (const { environment = {} } of movable) assert.equal(environment['MODULES_ON'], '${MODULES_ON:-}');
});
