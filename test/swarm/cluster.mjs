/**
 * deploy/cluster.yml on two nodes, under load: each container is killed, either node is lost, each part is updated.
 *
 * MongoDB's images cannot be pulled here, and what stands in for it is one process that no replica set can be made
 * of. So it runs beside the stack, on the first machine, and is not killed: what three real members would survive is
 * not tried. All else is the stack as it is.
 */
import { Client, HOST_NAME } from './cluster-client.mjs';
import { ClusterLoad } from './cluster-load.mjs';
import { containersOf, containersOfStack, docker, NODES } from './docker.mjs';
import { withoutManager, withoutWorker } from './lost-nodes.mjs';
import { allHealthy, CLUSTER, deploy, imageOf, serviceName, STACK, update, UPDATED } from './stack.mjs';
import { sleep, timed, until } from './waiting.mjs';

const CLIENTS = 4;
const LONGEST_GAP_S = 10;
const LOST_MS = 20_000;
const SETTLED_MS = 15_000;
const KILLED = ['s3-front', 'data-module', 'metadata-module', 'populator', 'hello-world', 'kafka'];
/** Two of each of ours, and where they may be. */
const SPREAD = ['s3-front', 'data-module', 'metadata-module', 'populator'];

const ENVIRONMENT = {
  MODULES_ON: 'node.platform.os == linux',
  MONGODB_REPLICAS: '0',
  MEMCACHED_REPLICAS: '0',
  S3_HOSTNAME: HOST_NAME,
};

/** @param only `killed`, `lost` or `updated`: that part alone */
export async function cluster(transcript, bucket, only) {
  transcript.say('MongoDB is one stand-in beside the stack, which is not killed');
  const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(`client-${number}`));
  const seen = new Summary(transcript);
  try {
    await transcript.step('the cluster', () => start(transcript, clients, bucket));
    await transcript.step('nothing happens', () => seen.during(clients, 'nothing', () => sleep(10_000)));
    const parts = {
      killed: async () => {
        for (const name of KILLED)
          await transcript.step(`${name} killed`, () => killEach(seen, clients, name));
      },
      lost: () => transcript.step('a node lost', () => loseEach(seen, clients)),
      updated: () => transcript.step('every part updated', () => updateEach(transcript, seen, clients)),
    };
    for (const [name, part] of Object.entries(parts)) {
      if (only === undefined || only === name) await part();
    }
    await transcript.step('what was acknowledged', () => verify(transcript, clients));
    await transcript.step('the events', () => tagged(transcript, bucket, 'in the end'));
    seen.check();
  } finally {
    for (const client of clients) client.close();
  }
}

async function start(transcript, clients, bucket) {
  await deploy(CLUSTER, ENVIRONMENT);
  const { seconds } = await timed(() => allHealthy());
  transcript.figure('cluster: all healthy after', `${seconds.toFixed(1)} s`);
  for (const name of SPREAD) {
    const nodes = new Set((await containersOf(serviceName(name))).map(({ node }) => node));
    transcript.check(`${name} runs on both nodes, without a label`, nodes.size === NODES.length);
  }
  await clients[0].createBucket();
  await bucket.create();
  const tag = await timed(() => tagged(transcript, bucket, 'at first'));
  transcript.figure('cluster: put of helloworld until its tag is seen', `${tag.seconds.toFixed(1)} s`);
}

async function tagged(transcript, bucket, when) {
  await bucket.putAndSeeTag(when);
  transcript.check(`helloworld is tagged ${when}`, true);
}

async function killEach(seen, clients, name) {
  const before = await containersOf(serviceName(name));
  for (const [index, { id, node }] of before.entries()) {
    await seen.during(clients, `${name} ${index + 1} killed`, async () => {
      await docker(['kill', '-s', 'KILL', id], { node });
      await until(`another ${name}`, 120_000, async () => {
        const now = await containersOf(serviceName(name));
        return now.length === before.length && now.every(container => container.id !== id);
      });
      await allHealthy();
    });
  }
}

async function loseEach(seen, clients) {
  await seen.during(clients, 'node 2 lost, and back', async () => {
    await withoutWorker(() => sleep(LOST_MS));
    await settled();
  });
  await seen.during(clients, 'node 1 lost, and back', async () => {
    await withoutManager(() => sleep(LOST_MS));
    await settled();
  });
}

/** Swarm replaces what ran on a node that was lost when it comes back, and until then takes it for healthy. */
async function settled() {
  let before = '';
  let since = Date.now();
  await until('the tasks to stay the same', 300_000, async () => {
    await allHealthy();
    const now = (await containersOfStack(STACK))
      .map(({ id }) => id)
      .sort()
      .join();
    if (now !== before) [before, since] = [now, Date.now()];
    return Date.now() - since > SETTLED_MS;
  });
}

async function updateEach(transcript, seen, clients) {
  for (const [name, image] of Object.entries(UPDATED)) {
    await seen.during(clients, `${name} updated`, () => update(name, ['--image', image]));
    transcript.check(`${name} runs the new image`, (await imageOf(name)).startsWith(image));
  }
}

async function verify(transcript, clients) {
  const wrong = (await Promise.all(clients.map(client => client.verify()))).flat();
  const objects = clients.reduce((sum, { size }) => sum + size, 0);
  transcript.figure(
    'cluster: objects that were acknowledged / wrong or missing',
    `${objects} / ${wrong.length}`,
  );
  transcript.check('every acknowledged object is there with its bytes', wrong.length === 0, wrong.join('; '));
}

/** All that the clients saw. What went wrong is told at once, and ends the run when all has been tried. */
class Summary {
  #transcript;
  #broken = [];
  #requests = 0;
  #retries = 0;
  #longestGap = 0;

  constructor(transcript) {
    this.#transcript = transcript;
  }

  async during(clients, what, work) {
    const load = new ClusterLoad(clients);
    let seen;
    try {
      await sleep(3000);
      await work();
      await sleep(3000);
    } finally {
      seen = await load.stop();
    }
    const { requests, retries, failures, longestGap, longestRequest, slowest } = seen;
    this.#requests += requests;
    this.#retries += retries;
    this.#longestGap = Math.max(this.#longestGap, longestGap);
    this.#transcript.figure(
      `cluster, ${what}: requests / retries / failed / longest gap / longest request`,
      `${requests} / ${retries} / ${failures.length} / ${longestGap.toFixed(1)} s / ${longestRequest.toFixed(1)} s (${slowest})`,
    );
    for (const failure of failures.slice(0, 5)) this.#transcript.say(`    failed: ${failure}`);
    if (failures.length > 0) this.#broken.push(`${what}: ${failures.length} requests failed`);
    if (longestGap > LONGEST_GAP_S)
      this.#broken.push(`${what}: ${longestGap.toFixed(1)} s without an answer`);
  }

  check() {
    this.#transcript.figure(
      'cluster, all: requests / retries / longest gap',
      `${this.#requests} / ${this.#retries} / ${this.#longestGap.toFixed(1)} s`,
    );
    this.#transcript.check(
      `no request failed after its retries, and no gap was longer than ${LONGEST_GAP_S} s`,
      this.#broken.length === 0,
      this.#broken.join('; '),
    );
  }
}
