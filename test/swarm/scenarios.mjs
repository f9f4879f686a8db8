/** What is done to the full stack, and what has to be true afterwards. */
import net from 'node:net';
import { containersOf, containersOfStack, docker, MANAGER, nodeId, NODES, run, WORKER } from './docker.mjs';
import { Load } from './load.mjs';
import { Bucket } from './s3.mjs';
import {
  allHealthy,
  imageOf,
  rollBack,
  S3_PORT,
  serviceName,
  services,
  STACK,
  update,
  UPDATED,
  VERSION_1,
} from './stack.mjs';
import { sleep, timed, until } from './waiting.mjs';

const LABEL = 'io.zenko.type';
const PRIVATE_PORTS = [4042, 9990, 9991, 9092, 9093, 11_211, 27_017];

/** Without the label no storage service has a place: those that use them start first. */
export async function unlabel() {
  await docker(['node', 'update', '--label-rm', LABEL, await nodeId(MANAGER)]);
}

export async function label() {
  await docker(['node', 'update', '--label-add', `${LABEL}=storage`, await nodeId(MANAGER)]);
}

/** Runs `work` under load. Resolves with what the load saw, after checking that no request failed. */
async function underLoad(transcript, bucket, what, work) {
  const load = new Load(bucket);
  await sleep(3000);
  let seen;
  try {
    await work();
    await sleep(3000);
  } finally {
    seen = await load.stop();
  }
  const { requests, retries, failures, longestSeconds } = seen;
  transcript.check(
    `${what}: none of ${requests} S3 requests failed`,
    failures.length === 0,
    failures.slice(0, 3).join('; '),
  );
  transcript.figure(
    `${what}: requests / retries / failed / longest request`,
    `${requests} / ${retries} / ${failures.length} / ${longestSeconds.toFixed(1)} s`,
  );
}

export async function onlyS3IsReachable(transcript) {
  const published = (await services()).map(async ({ name }) => {
    const ports = await docker(['service', 'inspect', '-f', '{{json .Endpoint.Ports}}', serviceName(name)]);
    return [name, ports];
  });
  for (const [name, ports] of await Promise.all(published)) {
    const wanted = name === 's3-front';
    transcript.check(`${name} publishes ${wanted ? 'its port' : 'no port'}`, (ports !== 'null') === wanted);
  }
  for (const { name, address } of NODES) {
    const open = [];
    for (const port of PRIVATE_PORTS) if (await answers(address, port)) open.push(port);
    transcript.check(
      `no port of a module or a backend answers on ${name}`,
      open.length === 0,
      open.join(', '),
    );
    transcript.check(`S3 answers on ${name}`, await answers(address, S3_PORT));
  }
}

function answers(host, port) {
  return new Promise(resolve => {
    const socket = net.connect({ host, port, timeout: 3000 });
    const done = answer => {
      socket.destroy();
      resolve(answer);
    };
    socket
      .once('connect', () => done(true))
      .once('error', () => done(false))
      .once('timeout', () => done(false));
  });
}

/** A second data module or metadata writer finds no place, however it is asked for. */
export async function noSecondWriter(transcript, names) {
  for (const name of names) {
    await docker(['service', 'scale', '--detach', `${serviceName(name)}=2`]);
    await sleep(8000);
    const running = await containersOf(serviceName(name));
    await docker(['service', 'scale', '--detach', `${serviceName(name)}=1`]);
    transcript.check(`${name} scaled to 2 stays one`, running.length === 1, `${running.length} running`);
  }
  await allHealthy();
}

export async function killEach(transcript, bucket, stack, names) {
  for (const name of names) {
    const others = (await containersBeside(name)).join();
    await underLoad(transcript, bucket, `${stack}, ${name} killed`, async () => {
      const [{ id, node }] = await containersOf(serviceName(name));
      const { seconds } = await timed(async () => {
        await docker(['kill', '-s', 'KILL', id], { node });
        await sleep(2000);
        await until(`another ${name}`, 120_000, async () => {
          const now = await containersOf(serviceName(name));
          return now.length > 0 && now.every(container => container.id !== id);
        });
        await allHealthy();
      });
      transcript.figure(`${stack}, ${name} killed: all healthy again after`, `${seconds.toFixed(1)} s`);
    });
    const { seconds } = await timed(() => bucket.putAndSeeTag(`after killing ${name}`));
    transcript.check(`after killing ${name}, a new helloworld is tagged`, true, `${seconds.toFixed(1)} s`);
    transcript.check('no other part was restarted', (await containersBeside(name)).join() === others);
  }
}

async function containersBeside(name) {
  const ids = await Promise.all([containersOfStack(STACK), containersOf(serviceName(name))]);
  const [all, own] = ids.map(containers => containers.map(({ id }) => id));
  return all.filter(id => !own.includes(id)).sort();
}

/** The storage node goes down and comes back: everything on it ends at once. */
export async function killStorageNode(transcript, bucket) {
  const before = await containersOfStack(STACK);
  const ids = before.filter(({ node }) => node === MANAGER).map(({ id }) => id);
  const { seconds } = await timed(async () => {
    await docker(['kill', '-s', 'KILL', ...ids]);
    await until('others in their place', 120_000, async () => {
      const now = await containersOfStack(STACK);
      return now.length === before.length && now.every(({ id }) => !ids.includes(id));
    });
    await allHealthy();
  });
  transcript.figure(
    `all ${ids.length} containers of the storage node killed at once: all healthy again after`,
    `${seconds.toFixed(1)} s`,
  );
  const objects = await bucket.verifyAll();
  transcript.check('after that, every object is there with its bytes', true, `${objects} objects`);
  await bucket.putAndSeeTag('after killing the storage node');
  transcript.check('after that, a new helloworld is tagged', true);
}

export async function drainWorker(transcript, bucket) {
  const id = await nodeId(WORKER);
  await underLoad(transcript, bucket, 'worker drained', async () => {
    await docker(['node', 'update', '--availability', 'drain', id]);
    await until(
      'the worker to be empty',
      120_000,
      async () => (await docker(['ps', '-q'], { node: WORKER })) === '',
    );
    await allHealthy();
  });
  await bucket.putAndSeeTag('with the worker drained');
  transcript.check('with the worker drained, a new helloworld is tagged', true);
  await docker(['node', 'update', '--availability', 'active', id]);
}

/** The worker's cable is pulled: the manager sees it go and starts its tasks elsewhere. */
export async function loseWorker(transcript, bucket) {
  // Something has to be on it: new tasks go to the node with fewest.
  await update('s3-front', ['--force']);
  await until('s3-front on the worker', 180_000, async () =>
    (await containersOf(serviceName('s3-front'))).some(({ node }) => node === WORKER),
  );
  await allHealthy();
  const id = await nodeId(WORKER);
  const link = ['-n', 'swn2', 'link', 'set', 'sw-n2'];
  const nodeState = state => async () =>
    (await docker(['node', 'inspect', '-f', '{{.Status.State}}', id])) === state;
  try {
    await underLoad(transcript, bucket, 'worker lost', async () => {
      await run('ip', [...link, 'down'], { deadlineMs: 10_000 });
      await until('the manager to notice', 120_000, nodeState('down'));
      await allHealthy();
    });
    await bucket.putAndSeeTag('with the worker lost');
    transcript.check('with the worker lost, a new helloworld is tagged', true);
  } finally {
    await run('ip', [...link, 'up'], { deadlineMs: 10_000 });
    // The default route went with the link.
    await run('ip', ['-n', 'swn2', 'route', 'replace', 'default', 'via', MANAGER.address], {
      deadlineMs: 10_000,
    });
  }
  await until('the worker to be back', 120_000, nodeState('ready'));
  await allHealthy();
}

export async function updateEach(transcript, bucket) {
  for (const [name, image] of Object.entries(UPDATED)) {
    await underLoad(transcript, bucket, `${name} updated`, async () => {
      const { seconds } = await timed(() => update(name, ['--image', image]));
      transcript.figure(`${name} updated: took, with 30 s of watching`, `${seconds.toFixed(1)} s`);
    });
    transcript.check(`${name} runs the new image`, (await imageOf(name)).startsWith(image));
  }
  await bucket.putAndSeeTag('after all updates');
  transcript.check('after all updates, a new helloworld is tagged', true);
}

/** A change is taken back by its user, and by the Swarm itself when nothing starts with it. */
export async function rollBackEach(transcript, bucket) {
  for (const [name, image] of Object.entries(VERSION_1)) {
    await underLoad(transcript, bucket, `${name} rolled back`, () => rollBack(name));
    transcript.check(`${name} runs the image before`, (await imageOf(name)).startsWith(image));
    // Without load: Swarm may wait a minute for a task that failed before it had a place.
    const { seconds } = await timed(async () => {
      await update(name, ['--env-add', 'LOG_LEVEL=none'], 'rollback_completed');
      await allHealthy();
    });
    transcript.figure(
      `${name} given a setting that stops its start: rolled back after, with 30 s of watching`,
      `${seconds.toFixed(1)} s`,
    );
  }
  await bucket.putAndSeeTag('after all that was rolled back');
  transcript.check('after all that was rolled back, a new helloworld is tagged', true);
}

/** A new metadata module that does not find MongoDB waits for it: ended, it would be rolled back. */
export async function replaceTogether(transcript, bucket) {
  await Promise.all(['mongodb', 'metadata-module'].map(name => update(name, ['--force'])));
  await allHealthy();
  transcript.check('MongoDB and the metadata module are replaced at once, and neither is rolled back', true);
  await bucket.putAndSeeTag('after both were replaced');
  transcript.check('after that, a new helloworld is tagged', true);
}

/** Both nodes serve the same store. */
export async function bothNodesServe(transcript, bucket) {
  for (const { name, address } of NODES) {
    const other = new Bucket(address);
    try {
      const listed = await other.list();
      transcript.check(`${name} lists every object`, listed.length === bucket.size, `${listed.length}`);
    } finally {
      other.close();
    }
  }
}
