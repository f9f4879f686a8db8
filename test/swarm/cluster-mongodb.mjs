/**
 * What stands in for MongoDB beside the cluster, as a process of the first machine: the Swarm knows nothing of it, and
 * nothing that is done to the nodes ends it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { MANAGER } from './docker.mjs';
import { until } from './waiting.mjs';

const START = fileURLToPath(new URL('../../../shared/bin/mongodb-standin/start', import.meta.url));
const PORT = 27_117;
/** It listens on 127.0.0.1 alone. */
const PRIVATE_PORT = 27_118;
const CLOSE_MS = 20_000;

export const MONGODB_URL = `mongodb://${MANAGER.address}:${PORT}/zenko?directConnection=true`;

/** Resolves with what ends it when it answers. */
export async function startMongodb() {
  if (!existsSync(START)) throw new Error(`${START} is missing`);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'swarm-mongodb-'));
  const server = spawn(START, [folder, String(PRIVATE_PORT)], { stdio: 'ignore' });
  const sockets = new Set();
  const relay = net.createServer(outside => {
    const inside = net.connect(PRIVATE_PORT, '127.0.0.1');
    for (const socket of [outside, inside]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
    const ended = () => undefined;
    pipeline(outside, inside, ended);
    pipeline(inside, outside, ended);
  });
  relay.listen(PORT, MANAGER.address);
  await once(relay, 'listening');
  await until('the stand-in for MongoDB', 60_000, () => answers(PRIVATE_PORT));
  return async () => {
    relay.close();
    for (const socket of sockets) socket.destroy();
    const exited = once(server, 'exit');
    server.kill('SIGTERM');
    const timer = setTimeout(() => server.kill('SIGKILL'), CLOSE_MS);
    await exited;
    clearTimeout(timer);
    await rm(folder, { recursive: true });
  };
}

async function answers(port) {
  const socket = net.connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}
