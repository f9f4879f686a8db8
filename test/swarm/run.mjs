/**
 * `npm run test:swarm`: the stacks on a real two-node Swarm, as docs/swarm.md describes them.
 *
 * Needs root, Debian 12 and ../shared/swarm, which it brings up and takes down again (`--keep` leaves it up). `SWARM_UP` names
 * another script that brings one up, and `SWARM_SERVERS=published` takes the servers of the stacks' own images, as the
 * repository's CI does.
 * `--write` puts the figures into docs/swarm.md when everything has passed; `--only full` or `--only minimal` tries
 * one stack; `--built` takes the images that an earlier run has pushed. `--cluster` tries deploy/cluster.yml instead, with
 * `--only killed`, `--only lost` or `--only updated` a part of it, and with `--write` puts its figures into docs/scaling.md.
 */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fileURLToPath } from 'node:url';
import { backUpAndRestore } from './backup.mjs';
import { cluster } from './cluster.mjs';
import { MONGODB_URL, startMongodb } from './cluster-mongodb.mjs';
import { DOWN, MANAGER, run, UP } from './docker.mjs';
import { buildAndPush, inspectImages } from './images.mjs';
import { monitor } from './monitoring.mjs';
import { Bucket } from './s3.mjs';
import * as scenarios from './scenarios.mjs';
import {
  allHealthy,
  createSecrets,
  deploy,
  FULL,
  logsOf,
  MINIMAL,
  removeSecrets,
  removeStack,
  removeVolumes,
  services,
  tasks,
} from './stack.mjs';
import { Transcript } from './transcript.mjs';
import { sleep, timed } from './waiting.mjs';

const pageOf = name => fileURLToPath(new URL(`../../docs/${name}`, import.meta.url));

const { values: options } = parseArgs({
  options: {
    built: { type: 'boolean' },
    cluster: { type: 'boolean' },
    keep: { type: 'boolean' },
    only: { type: 'string' },
    write: { type: 'boolean' },
  },
});

async function full(transcript, bucket) {
  await transcript.step('the full stack, those that need others first', async () => {
    await scenarios.unlabel();
    await deploy(FULL);
    await sleep(20_000);
    await scenarios.label();
    const { seconds } = await timed(() => allHealthy());
    transcript.figure(
      'full stack: all healthy after its storage node was labelled',
      `${seconds.toFixed(1)} s`,
    );
    await bucket.create();
  });
  await transcript.step('an object, and its tag', async () => {
    for (let n = 0; n < 20; n += 1) await bucket.put(`plain/${n}`);
    const { seconds } = await timed(() => bucket.putAndSeeTag('first'));
    transcript.check('helloworld is tagged', true);
    transcript.figure('full stack: put of helloworld until its tag is seen', `${seconds.toFixed(1)} s`);
    transcript.check('no other object is', Object.keys(await bucket.tags('plain/0')).length === 0);
    await scenarios.bothNodesServe(transcript, bucket);
  });
  await transcript.step('from outside', () => scenarios.onlyS3IsReachable(transcript));
  await transcript.step('one writer', () =>
    scenarios.noSecondWriter(transcript, ['data-module', 'metadata-module', 'populator']),
  );
  await transcript.step('containers killed', async () =>
    scenarios.killEach(transcript, bucket, 'full stack', await names()),
  );
  await transcript.step('the storage node killed', () => scenarios.killStorageNode(transcript, bucket));
  await transcript.step('the worker drained', () => scenarios.drainWorker(transcript, bucket));
  await transcript.step('the worker lost', () => scenarios.loseWorker(transcript, bucket));
  await transcript.step('every part updated', () => scenarios.updateEach(transcript, bucket));
  await transcript.step('the modules rolled back', () => scenarios.rollBackEach(transcript, bucket));
  await transcript.step('replaced together', () => scenarios.replaceTogether(transcript, bucket));
  await transcript.step('removed and deployed again', () => again(transcript, bucket, FULL, 'full stack'));
}

async function names() {
  return (await services()).map(service => service.name);
}

async function minimal(transcript, bucket) {
  await transcript.step('the minimal stack', async () => {
    await deploy(MINIMAL);
    const { seconds } = await timed(() => allHealthy());
    transcript.figure('minimal stack: all healthy after', `${seconds.toFixed(1)} s`);
    await bucket.create();
    for (let n = 0; n < 20; n += 1) await bucket.put(`plain/${n}`);
    const tag = await timed(() => bucket.putAndSeeTag('first'));
    transcript.figure(
      'minimal stack: put of helloworld until its tag is seen',
      `${tag.seconds.toFixed(1)} s`,
    );
  });
  await transcript.step('one writer', () =>
    scenarios.noSecondWriter(transcript, ['data-module', 'metadata-module']),
  );
  await transcript.step('watched', () => monitor(transcript, MINIMAL));
  await transcript.step('containers killed', async () =>
    scenarios.killEach(transcript, bucket, 'minimal stack', await names()),
  );
  await transcript.step('backed up and restored', () => backUpAndRestore(transcript, bucket));
  await transcript.step('removed and deployed again', () =>
    again(transcript, bucket, MINIMAL, 'minimal stack'),
  );
}

/** Nothing of what was acknowledged is missing after the stack was removed and deployed again. */
async function again(transcript, bucket, stack, name) {
  await removeStack();
  await deploy(stack);
  await allHealthy();
  const objects = await bucket.verifyAll();
  transcript.check(`${name}: every object is there with its bytes`, true, `${objects} objects`);
  transcript.check(`${name}: so is the tag`, (await bucket.tags('helloworld')).hello === 'world');
  transcript.figure(`${name} removed and deployed again: objects found / missing`, `${objects} / 0`);
  await bucket.putAndSeeTag('again');
  transcript.check(`${name}: a new helloworld is tagged`, true);
}

async function withStack(transcript, name, work) {
  const passedBefore = transcript.passed;
  const bucket = new Bucket(MANAGER.address);
  try {
    await work(transcript, bucket);
    transcript.figure(`${name}: checks passed`, transcript.passed - passedBefore);
  } catch (err) {
    await explain(transcript);
    throw err;
  } finally {
    bucket.close();
    await removeStack();
    await removeVolumes();
  }
}

/** What the Swarm has to say about a failure, as far as it answers. */
async function explain(transcript) {
  const print = async (title, ask) => {
    try {
      console.error(`--- ${title}\n${await ask()}`);
    } catch (err) {
      transcript.say(`${title} cannot be told: ${err.message}`);
    }
  };
  await print('tasks', tasks);
  for (const { name } of await services().catch(() => [])) await print(name, () => logsOf(name));
}

async function tryStacks(transcript) {
  await createSecrets();
  if (options.only !== 'minimal') await withStack(transcript, 'full stack', full);
  if (options.only !== 'full') await withStack(transcript, 'minimal stack', minimal);
}

async function tryCluster(transcript) {
  await createSecrets(MONGODB_URL);
  const stopMongodb = await startMongodb();
  try {
    await withStack(transcript, 'cluster', (...args) => cluster(...args, options.only));
  } finally {
    await stopMongodb();
  }
}

/** What `--only` may name. */
const PARTS = options.cluster ? ['killed', 'lost', 'updated'] : ['full', 'minimal'];

async function main() {
  if (options.only !== undefined && !PARTS.includes(options.only))
    throw new Error(`--only: expected one of ${PARTS.join(', ')}`);
  if (process.getuid() !== 0 || !existsSync(UP)) {
    throw new Error('npm run test:swarm needs root and ../shared/swarm beside the project, or SWARM_UP');
  }
  const transcript = new Transcript();
  try {
    await transcript.step('a Swarm of two nodes', () => run(UP, ['--no-test'], { deadlineMs: 580_000 }));
    await removeStack();
    await removeVolumes();
    if (!options.built) await transcript.step('images', () => buildAndPush(transcript));
    await transcript.step('what the images hold', () => inspectImages(transcript));
    if (options.cluster) await tryCluster(transcript);
    else await tryStacks(transcript);
    await removeSecrets();
  } finally {
    if (!options.keep) await run(DOWN, [], { deadlineMs: 300_000 });
  }
  console.log(`\n${transcript.table()}\n`);
  if (options.write) await transcript.writeTo(pageOf(options.cluster ? 'scaling.md' : 'swarm.md'));
  console.log(`${transcript.passed} passed, 0 failed`);
}

main().catch(err => {
  console.error(err);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
});
