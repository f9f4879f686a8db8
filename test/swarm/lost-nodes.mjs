/** Nodes that are lost as a whole, and come back. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { containersOfStack, docker, MANAGER, nodeId, run, UP, WORKER } from './docker.mjs';
import { S3_PORT, STACK } from './stack.mjs';
import { until } from './waiting.mjs';

const DEADLINE_MS = 10_000;
const LINK = ['-n', 'swn2', 'link', 'set', 'sw-n2'];
/** Of the first engine, and the mark of its being started by up.sh: no other is ended. */
const ENGINE = { pid: '/tmp/dockerd.pid', ours: '/tmp/swarm/engine1.ours' };

/** Between the nodes: the engines with each other, and the overlay networks. */
const CLUSTER_PORTS = [
  ['tcp', 2377],
  ['tcp', 7946],
  ['udp', 7946],
  ['udp', 4789],
];

/** Runs `work` while the worker's cable is out, and resolves when it is back and the manager has seen it. */
export async function withoutWorker(work) {
  const isState = await stateOf(WORKER);
  try {
    await run('ip', [...LINK, 'down'], { deadlineMs: DEADLINE_MS });
    await until('the manager to notice', 120_000, isState('down'));
    await work();
  } finally {
    await run('ip', [...LINK, 'up'], { deadlineMs: DEADLINE_MS });
    // The default route went with the link.
    await run('ip', ['-n', 'swn2', 'route', 'replace', 'default', 'via', MANAGER.address], {
      deadlineMs: DEADLINE_MS,
    });
  }
  await until('the worker to be back', 120_000, isState('ready'));
}

/**
 * Runs `work` while the manager is without power: nothing passes between the nodes, nothing answers on its S3 port,
 * what ran of the stack there is dead, and so is its engine. What is beside the stack on the same machine goes on: the
 * clients, and the stand-in for MongoDB. Resolves when it has started again and knows the worker.
 */
export async function withoutManager(work) {
  if (!existsSync(ENGINE.ours)) throw new Error('the first engine was not started by up.sh: it is not ended');
  const engine = Number(await readFile(ENGINE.pid, 'utf8'));
  const isState = await stateOf(WORKER);
  const here = (await containersOfStack(STACK)).filter(({ node }) => node === MANAGER);
  const pids = [];
  for (const { id } of here) pids.push(Number(await docker(['inspect', '-f', '{{.State.Pid}}', id])));
  const set = [];
  try {
    for (const one of DROPPED) {
      await rule('-I', one);
      set.push(one);
    }
    for (const pid of [engine, ...pids]) process.kill(pid, 'SIGKILL');
    await work();
  } finally {
    for (const one of set) await rule('-D', one);
    await run(UP, ['--no-test'], { deadlineMs: 580_000 });
  }
  await until('the worker to be known', 120_000, isState('ready'));
}

const DROPPED = [
  ...CLUSTER_PORTS.flatMap(([protocol, port]) =>
    ['--sport', '--dport'].flatMap(side => [
      ['INPUT', '-i', 'sw-host', '-p', protocol, side, String(port)],
      ['OUTPUT', '-o', 'sw-host', '-p', protocol, side, String(port)],
    ]),
  ),
  ['OUTPUT', '-d', MANAGER.address, '-p', 'tcp', '--dport', String(S3_PORT)],
];

/** Before addresses are translated, which would hide what is addressed to the S3 port. */
function rule(action, [chain, ...match]) {
  return run('iptables', ['-w', '-t', 'mangle', action, chain, ...match, '-j', 'DROP'], {
    deadlineMs: DEADLINE_MS,
  });
}

async function stateOf(node) {
  const id = await nodeId(node);
  return state => async () => (await docker(['node', 'inspect', '-f', '{{.Status.State}}', id])) === state;
}
