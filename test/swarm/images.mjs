/** The images: built, looked into, pushed. */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { docker, REGISTRY, run } from './docker.mjs';
import { until } from './waiting.mjs';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const STAND_INS = fileURLToPath(new URL('stand-ins/', import.meta.url));
const SERVERS = path.join(PROJECT, '../shared/bin');
const BUILD_DEADLINE_MS = 560_000;
const MEGABYTE = 1_000_000;

/** Where public images cannot be pulled, ../shared/swarm has a base of this name. */
export const NODE_IMAGE = process.env.NODE_IMAGE ?? 'node:20-bookworm-slim';

/** Two versions of each, told apart by their label, so that there is something to update to. */
export const VERSIONS = ['1', '2'];

const OURS = [
  { name: 'zenko-data-module', file: 'Dockerfile.data', limitMegabytes: 80 },
  { name: 'zenko-metadata-module', file: 'Dockerfile.metadata', limitMegabytes: 150 },
  { name: 'zenko-s3-front', file: 'Dockerfile.s3-front' },
];

export const imageName = (name, version) => `${REGISTRY}/${name}:${version}`;

/** Whether the stacks run the servers of their own images: those can be pulled here. */
export const HAS_PUBLISHED_SERVERS = process.env.SWARM_SERVERS === 'published';

/** Images that take the place of what cannot be pulled here. Variables of the stack. */
export const STAND_IN_IMAGES = {
  CLOUDSERVER_IMAGE: imageName('zenko-s3-front', '1'),
  ...(!HAS_PUBLISHED_SERVERS && {
    MONGODB_IMAGE: imageName('zenko-test-mongodb', '1'),
    KAFKA_IMAGE: imageName('zenko-test-kafka', '1'),
    MEMCACHED_IMAGE: imageName('zenko-test-memcached', '1'),
  }),
};

export async function buildAndPush(transcript) {
  const checkout = await mkdtemp(path.join(os.tmpdir(), 'swarm-checkout-'));
  try {
    await run('sh', ['-c', STRICT_CHECKOUT, 'sh', checkout], { cwd: PROJECT, deadlineMs: 60_000 });
    await buildOurs(checkout, transcript);
  } finally {
    await rm(checkout, { recursive: true });
  }
  if (HAS_PUBLISHED_SERVERS) return;
  await buildServer('mongodb', ['mongodb-standin/lib', 'mongodb-standin/classes']);
  await buildServer('kafka', ['kafka/lib']);
  await buildServer('memcached', []);
  await buildServer('prometheus', []);
  transcript.say('OK  stand-ins for MongoDB, Kafka, memcached and Prometheus: built and pushed');
}

/** Copies what Git has, or would add, for its owner alone: the checkout of a user with a strict umask. */
const STRICT_CHECKOUT = `
umask 077
git ls-files -z --cached --others --exclude-standard \
  | tar -c -f - --null -T - | tar -x -f - --no-same-permissions -C "$1"
`;

async function buildOurs(checkout, transcript) {
  const revision = await run('git', ['rev-parse', 'HEAD'], { cwd: PROJECT, deadlineMs: 10_000 });
  for (const { name, file } of OURS) {
    for (const version of VERSIONS) {
      const image = imageName(name, version);
      const labels = [`VERSION=${version}`, `REVISION=${revision}`, `CREATED=${new Date().toISOString()}`];
      await docker(
        ['build', '-f', file, '-t', image, ...buildArguments([`NODE_IMAGE=${NODE_IMAGE}`, ...labels]), '.'],
        { cwd: checkout, deadlineMs: BUILD_DEADLINE_MS },
      );
      await docker(['push', '-q', image], { deadlineMs: BUILD_DEADLINE_MS });
    }
    transcript.say(`OK  ${name}: built and pushed`);
  }
}

/** A server of the tests as an image: its own files and ours in one build context. */
async function buildServer(name, parts) {
  const context = await mkdtemp(path.join(os.tmpdir(), 'swarm-image-'));
  try {
    await cp(path.join(STAND_INS, name), context, { recursive: true });
    for (const part of parts) {
      await cp(path.join(SERVERS, part), path.join(context, path.basename(part)), { recursive: true });
    }
    const image = imageName(`zenko-test-${name}`, '1');
    await docker(['build', '-t', image, ...buildArguments([`NODE_IMAGE=${NODE_IMAGE}`]), context], {
      deadlineMs: BUILD_DEADLINE_MS,
    });
    await docker(['push', '-q', image], { deadlineMs: BUILD_DEADLINE_MS });
  } finally {
    await rm(context, { recursive: true });
  }
}

const buildArguments = values => values.flatMap(value => ['--build-arg', value]);

/** What is promised of the two images that people get. */
export async function inspectImages(transcript) {
  const base = (await inspect(NODE_IMAGE)).Size;
  for (const { name, limitMegabytes } of OURS.filter(image => image.limitMegabytes !== undefined)) {
    const image = imageName(name, '1');
    const { Size, Config } = await inspect(image);
    const revision = Config.Labels['org.opencontainers.image.revision'];
    const added = (Size - base) / MEGABYTE;
    transcript.check(
      `${name} adds less than ${limitMegabytes} MB to its base`,
      added < limitMegabytes,
      `${added.toFixed(1)} MB`,
    );
    transcript.figure(
      `${name}: commit / on top of its base / in all`,
      `${revision.slice(0, 12)} / ${added.toFixed(1)} MB / ${(Size / MEGABYTE).toFixed(0)} MB`,
    );
    transcript.check(
      `${name} runs as a numeric user that is not root`,
      /^[1-9]\d*:[1-9]\d*$/.test(Config.User),
    );
    transcript.check(
      `${name} has its labels`,
      Config.Labels['org.opencontainers.image.version'] === '1' && /^[0-9a-f]{40}$/.test(revision),
    );
    const inside = await docker(['run', '--rm', '--entrypoint', 'sh', image, '-c', LOOK_INSIDE]);
    transcript.check(
      `${name} holds no compiler, curl, test, source or registry name, and nothing its user cannot read`,
      inside === '',
      inside,
    );
    const unlisted = await docker(['run', '--rm', '--entrypoint', 'node', image, '-e', COMPARE_LIST]);
    transcript.check(
      `${name} has a list of what is in it (sbom.json), and it is right`,
      unlisted === '',
      unlisted,
    );
    await startAndStop(name, image, transcript);
  }
}

async function inspect(image) {
  return JSON.parse(await docker(['image', 'inspect', image]))[0];
}

/** Prints what should not be there. */
const LOOK_INSIDE = `
for program in cc gcc g++ make python3 curl tsc; do command -v $program; done
find . -path ./node_modules -prune -o \\( -name '*.test.*' -o -name testing -o -name src -o -name '*.ts' \\) -print
find . -name .package-lock.json -o -name package-lock.json -o -name .npmrc
find . ! -readable
grep -rl '"resolved"' --include=*.json . || true
touch /data/written && rm /data/written || echo /data cannot be written
`;

/** Prints packages that are installed and not listed, or listed and not installed. */
const COMPARE_LIST = `
const { existsSync, readdirSync, readFileSync } = require('node:fs');
const json = file => JSON.parse(readFileSync(file));
const nameOf = ({ group, name, version }) => [group, name].filter(Boolean).join('/').replace('@zenko-modules/', '') + '@' + version;
const listed = new Set(json('sbom.json').components.map(nameOf));
const installed = new Set();
const look = folder => {
  for (const entry of existsSync(folder) ? readdirSync(folder) : []) {
    if (entry.startsWith('@')) look(folder + '/' + entry);
    else if (existsSync(folder + '/' + entry + '/package.json')) {
      installed.add(nameOf(json(folder + '/' + entry + '/package.json')));
      look(folder + '/' + entry + '/node_modules');
    }
  }
};
look('node_modules');
for (const name of installed) if (!listed.has(name)) console.log('not listed:', name);
for (const name of listed) if (!installed.has(name)) console.log('not installed:', name);
`;

/** As docs/kubernetes.md restricts a container. */
const RESTRICTED = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];
const USERS = {
  'its own user': [],
  'another user': ['--user', '12345:0', '--tmpfs', '/data:uid=12345,mode=700'],
};

/** Healthy by itself, and SIGTERM reaches the program, which ends with 0. */
async function startAndStop(name, image, transcript) {
  for (const [user, options] of Object.entries(USERS)) {
    const id = await docker(['run', '-d', ...RESTRICTED, ...options, image]);
    try {
      await until(`${name} to be healthy`, 60_000, async () => (await state(id)).Health.Status === 'healthy');
      await docker(['stop', '-t', '20', id], { deadlineMs: 40_000 });
      const { ExitCode } = await state(id);
      transcript.check(
        `${name}, read-only and as ${user}, becomes healthy by itself and ends with 0 on SIGTERM`,
        ExitCode === 0,
      );
    } finally {
      await docker(['rm', '-f', '-v', id]);
    }
  }
}

async function state(id) {
  return JSON.parse(await docker(['inspect', '-f', '{{json .State}}', id]));
}
