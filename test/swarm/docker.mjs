/** Docker's command line on both nodes of the Swarm that `UP` brings up. Every call has a deadline. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Brings up the Swarm and the registry, or what is missing of them. */
export const UP =
  process.env.SWARM_UP ?? fileURLToPath(new URL('../../../shared/swarm/up.sh', import.meta.url));
export const DOWN = path.join(path.dirname(UP), 'down.sh');

/** The Debian client: one elsewhere in PATH may be too new for the engine. */
const CLIENT = '/usr/bin/docker';
const API_VERSION = process.env.DOCKER_API_VERSION ?? '1.41';

export const REGISTRY = '172.30.77.1:5000';
export const NODES = [
  { name: 'node 1 (manager, storage)', address: '172.30.77.1', client: [] },
  { name: 'node 2 (worker)', address: '172.30.77.2', client: ['-H', 'unix:///run/swn2/docker.sock'] },
];
export const [MANAGER, WORKER] = NODES;

/**
 * Resolves with what `docker <args>` printed on standard output, trimmed. Rejects with its error output when it
 * fails, or takes longer than `deadlineMs`.
 */
export function docker(args, { node = MANAGER, deadlineMs = 60_000, input, env = {}, cwd } = {}) {
  return run(CLIENT, [...node.client, ...args], { deadlineMs, input, env, cwd });
}

/** The same for any program. */
export function run(program, args, { deadlineMs, input, env = {}, cwd } = {}) {
  return new Promise((resolve, reject) => {
    let unread;
    const child = execFile(
      program,
      args,
      {
        cwd,
        timeout: deadlineMs,
        killSignal: 'SIGKILL',
        maxBuffer: 64 * 1024 * 1024,
        env: { ...process.env, DOCKER_API_VERSION: API_VERSION, DOCKER_BUILDKIT: '0', ...env },
      },
      (failure, stdout, stderr) => {
        const cause = failure ?? unread;
        if (cause === undefined) {
          resolve(stdout.trim());
          return;
        }
        const why = cause.killed
          ? `took longer than ${deadlineMs} ms`
          : `${cause.message}\n${stdout}\n${stderr}`.trim().slice(-3000);
        reject(new Error(`${program} ${args.join(' ')}: ${why}`));
      },
    );
    if (input === undefined) child.stdin.destroy();
    else child.stdin.on('error', err => (unread = err)).end(input);
  });
}

/** Ids of the running containers of a service, with the node that each is on. */
export function containersOf(service) {
  return containersLabelled(`com.docker.swarm.service.name=${service}`);
}

/** The same of a whole stack. */
export function containersOfStack(stack) {
  return containersLabelled(`com.docker.stack.namespace=${stack}`);
}

async function containersLabelled(label) {
  const found = await Promise.all(
    NODES.map(async node => {
      const ids = await docker(['ps', '-q', '--filter', `label=${label}`], { node });
      return ids.split('\n').flatMap(id => (id === '' ? [] : [{ id, node }]));
    }),
  );
  return found.flat();
}

/** The Swarm's id of a node. */
export function nodeId(node) {
  return docker(['info', '-f', '{{.Swarm.NodeID}}'], { node });
}
