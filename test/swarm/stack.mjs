/** Stacks: deployed, waited for, changed, removed. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { containersOf, docker, NODES, REGISTRY, run } from './docker.mjs';
import { HAS_PUBLISHED_SERVERS, imageName, STAND_IN_IMAGES } from './images.mjs';
import { sleep, until } from './waiting.mjs';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
export const STACK = 'zenko';
/** Not 8000: the routing mesh would take that port from whatever else listens on this machine. */
export const S3_PORT = 18_080;

const BASE = 'docker-stack.base.yml';
/** What is laid over the base. */
export const FULL = ['docker-stack.yml'];
export const MINIMAL = ['docker-stack.minimal.yml'];
export const CLUSTER = ['docker-stack.yml', 'deploy/cluster.yml'];

const HEALTHY_DEADLINE_MS = 300_000;

/** The keys of this run: made up, so that nothing works by the default ones. */
export const KEYS = {
  accessKeyId: `swarm${randomBytes(6).toString('hex')}`,
  secretAccessKey: randomBytes(24).toString('hex'),
};

const ACCOUNTS = 'zenko_authdata';
const MONGODB_URL = 'zenko_mongodb_url';

export const serviceName = service => `${STACK}_${service}`;

/** The stand-in is no replica set. */
const OWN_MONGODB_URL = `mongodb://mongodb:27017/zenko${HAS_PUBLISHED_SERVERS ? '?replicaSet=rs0' : ''}`;

export async function createSecrets(mongodbUrl = OWN_MONGODB_URL) {
  await removeSecrets();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'swarm-accounts-'));
  try {
    const file = path.join(folder, 'authdata.json');
    await run('npm', ['run', '--silent', 'accounts:new', '--', file], {
      cwd: PROJECT,
      env: { S3_ACCESS_KEY: KEYS.accessKeyId, S3_SECRET_KEY: KEYS.secretAccessKey },
      deadlineMs: 120_000,
    });
    await docker(['secret', 'create', ACCOUNTS, file]);
  } finally {
    await rm(folder, { recursive: true });
  }
  await docker(['secret', 'create', MONGODB_URL, '-'], { input: mongodbUrl });
}

export async function removeSecrets() {
  const there = (await docker(['secret', 'ls', '--format', '{{.Name}}'])).split('\n');
  for (const name of [ACCOUNTS, MONGODB_URL].filter(secret => there.includes(secret))) {
    await docker(['secret', 'rm', name]);
  }
}

export async function deploy(files, env = {}) {
  const stack = [BASE, ...files].flatMap(file => ['-c', file]);
  await docker(['stack', 'deploy', ...stack, STACK], {
    cwd: PROJECT,
    env: { ...STAND_IN_IMAGES, REGISTRY, TAG: '1', S3_PORT: String(S3_PORT), ...env },
    deadlineMs: 120_000,
  });
}

/** Services with their wanted and running (that is: healthy) tasks. */
export async function services() {
  const lines = await docker(['stack', 'services', STACK, '--format', '{{.Name}} {{.Replicas}}']);
  return lines.split('\n').map(line => {
    const [, name, running, wanted] = /^(\S+) (\d+)\/(\d+)/.exec(line) ?? [];
    return { name: name.slice(STACK.length + 1), running: Number(running), wanted: Number(wanted) };
  });
}

export async function allHealthy(except = []) {
  await until(
    `every service to be healthy${except.length > 0 ? ` but ${except.join(', ')}` : ''}`,
    HEALTHY_DEADLINE_MS,
    async () => {
      const waiting = (await services()).filter(s => s.running !== s.wanted && !except.includes(s.name));
      if (waiting.length > 0)
        throw new Error(waiting.map(s => `${s.name} ${s.running}/${s.wanted}`).join(', '));
      return true;
    },
  );
}

/** Resolves when as many tasks run as are wanted, and the others have ended. */
export async function scale(service, replicas) {
  await docker(['service', 'scale', '--detach', `${serviceName(service)}=${replicas}`]);
  await until(`${service} to be ${replicas}`, HEALTHY_DEADLINE_MS, async () => {
    const { running } = (await services()).find(({ name }) => name === service);
    return running === replicas && (await containersOf(serviceName(service))).length === replicas;
  });
}

/** Changes a service. Rejects when its update ends as anything but `end`: Swarm rolled it back or gave up. */
export async function update(service, change, end = 'completed') {
  await docker(['service', 'update', '--detach', ...change, serviceName(service)]);
  await updateEnded(service, end);
}

/** Back to what the service was before its last change. */
export async function rollBack(service) {
  await docker(['service', 'rollback', '--detach', serviceName(service)]);
  await updateEnded(service, 'rollback_completed');
}

async function updateEnded(service, end) {
  const state = await until(`the update of ${service}`, 240_000, async () => {
    const status = await docker([
      'service',
      'inspect',
      '-f',
      '{{.UpdateStatus.State}}',
      serviceName(service),
    ]);
    return /^(completed|paused|rollback_completed|rollback_paused)$/.test(status) && status;
  });
  if (state !== end) throw new Error(`the update of ${service} ended as ${state}, not ${end}`);
}

export async function imageOf(service) {
  return docker([
    'service',
    'inspect',
    '-f',
    '{{.Spec.TaskTemplate.ContainerSpec.Image}}',
    serviceName(service),
  ]);
}

/** What the modules are deployed as, and what every part is updated to. */
export const VERSION_1 = {
  'data-module': imageName('zenko-data-module', '1'),
  'metadata-module': imageName('zenko-metadata-module', '1'),
};
export const UPDATED = {
  'data-module': imageName('zenko-data-module', '2'),
  'metadata-module': imageName('zenko-metadata-module', '2'),
  populator: imageName('zenko-metadata-module', '2'),
  'hello-world': imageName('zenko-metadata-module', '2'),
  's3-front': imageName('zenko-s3-front', '2'),
};

/** Takes the stack down and waits until its networks are gone, without which the next deploy fails. Volumes stay. */
export async function removeStack() {
  await docker(['stack', 'rm', STACK], { deadlineMs: 120_000 });
  await until('the stack to be gone', 120_000, async () => {
    const left = await Promise.all(
      NODES.flatMap(node => [
        docker(['network', 'ls', '-q', '--filter', `name=${STACK}_`], { node }),
        docker(['ps', '-aq', '--filter', `label=com.docker.stack.namespace=${STACK}`], { node }),
      ]),
    );
    return left.every(text => text === '');
  });
  await sleep(2000);
}

export async function removeVolumes() {
  for (const node of NODES) {
    const names = await docker(['volume', 'ls', '-q', '--filter', `name=${STACK}_`], { node });
    for (const name of names.split('\n').filter(text => text !== '')) {
      await docker(['volume', 'rm', name], { node });
    }
  }
}

/** The last warnings and errors of a service, for a run that failed. */
export async function logsOf(service) {
  const lines = await docker(['service', 'logs', '--raw', '--tail', '400', serviceName(service)], {
    deadlineMs: 20_000,
  });
  return lines
    .split('\n')
    .filter(line => !/"level":[123]0/.test(line))
    .slice(-12)
    .map(line => line.slice(0, 700))
    .join('\n');
}

/** Tasks of the stack with their errors, for a run that failed. */
export function tasks() {
  return docker(
    ['stack', 'ps', '--no-trunc', '--format', '{{.Name}} {{.Node}} {{.CurrentState}} {{.Error}}', STACK],
    { deadlineMs: 20_000 },
  );
}
