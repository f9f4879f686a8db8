/** Packets of socket.io and engine.io, and HTTP bytes below them, into the metadata module. */
import fc from 'fast-check';
import { RpcClient } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE, RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import type { Random } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { hostileCall, hostilePacket } from '@zenko-modules/metadata-module/testing/hostile-calls';
import { WebSocket } from 'ws';
import { ask } from '../ask.js';
import { chance, mutate, pick, randomBytes } from '../choose.js';
import { requestBytes, tryHttp } from '../http-cases.js';
import { Finding, type FuzzOptions, type Owner, type Target } from '../target.js';
import { WatchedDaemon } from '../watched-daemon.js';

const GOOD = '{"kept":"as it was"}';
const KEPT = 'kept';
const MAX_MEMORY_BYTES = 512 * 1024 * 1024;
const PACKETS = 12;
/** How long a client of a case listens after its last packet. */
const LISTEN_MS = 40;
const CONNECT_MS = 5000;
const NAMESPACES = [METADATA_NAMESPACE, METADATA_NAMESPACE, RECORD_LOG_NAMESPACE, '/', '/nowhere'];

export const metadataRpc: Target = {
  name: 'metadata-rpc',
  about:
    'socket.io and engine.io packets into the metadata module: binary, nested, attachments that never come',
  open: async (owner, options) => {
    const { daemon, port } = await startMetadata(owner, options);
    return {
      tryOne: async random => {
        const clients = Array.from({ length: random.integer(1, 4) }, () => oneClient(random, port));
        await Promise.all(clients);
        await daemon.check();
      },
    };
  },
};

export const metadataHttp: Target = {
  name: 'metadata-http',
  about: 'HTTP bytes into the metadata module: handshakes, polling, upgrades',
  open: async (owner, options) => {
    const { daemon, port } = await startMetadata(owner, options);
    return {
      tryOne: async random => {
        const sid = await pollingSid(port);
        await tryHttp(random, { port, validRequest: () => Promise.resolve(validRequest(random, sid)) });
        await daemon.check();
      },
    };
  },
};

async function startMetadata(
  owner: Owner,
  options: FuzzOptions,
): Promise<{ daemon: WatchedDaemon; port: number }> {
  const clients: RpcClient[] = [];
  const kept = { rpcArgs: ['good', {}], subLevel: [KEPT] };
  const daemon = await WatchedDaemon.start(
    owner,
    {
      entry: 'metadata-module/dist/main.js',
      env: {
        DATA_DIR: await temporaryFolder(owner),
        METADATA_PORT: '0',
        METADATA_PROBE_PORT: '0',
        LOG_LEVEL: 'error',
      },
      maxMemoryBytes: MAX_MEMORY_BYTES,
      probe: async () => {
        const value = await clients[0]?.call('get', kept);
        if (value !== GOOD) throw new Finding(`the good value came as ${String(value)}`);
      },
    },
    options,
  );
  const port = daemon.ports.METADATA_PORT ?? 0;
  const client = new RpcClient({ url: `http://127.0.0.1:${port}`, namespace: METADATA_NAMESPACE });
  owner.after(() => client.close());
  clients.push(client);
  await client.call('put', { rpcArgs: ['good', GOOD, {}], subLevel: [KEPT] });
  return { daemon, port };
}

/** Connects, sends its packets, and leaves. What the server does to it is the server's choice. */
async function oneClient(random: Random, port: number): Promise<void> {
  const version = pick(random, [4, 4, 3]);
  const packets = Array.from({ length: random.integer(1, PACKETS) }, () => packet(random));
  const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=${version}&transport=websocket`);
  socket.on('error', () => socket.terminate());
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()));
  const opened = new Promise<void>(resolve => socket.once('open', () => resolve()));
  const deadline = setTimeout(() => socket.terminate(), CONNECT_MS);
  await Promise.race([opened, closed]);
  if (chance(random, 90)) send(socket, `40${pick(random, NAMESPACES)},`);
  for (const bytes of packets) send(socket, bytes);
  await new Promise(resolve => setTimeout(resolve, LISTEN_MS));
  if (chance(random, 50)) socket.terminate();
  else socket.close();
  await Promise.race([closed, new Promise(resolve => setTimeout(resolve, 2 * LISTEN_MS))]);
  socket.terminate();
  clearTimeout(deadline);
}

function send(socket: WebSocket, data: string | Buffer): void {
  if (socket.readyState === WebSocket.OPEN) socket.send(data);
}

function packet(random: Random): string | Buffer {
  if (chance(random, 10)) return randomBytes(random, pick(random, [0, 1, 100, 70_000]));
  if (chance(random, 20)) return sample(random, hostilePacket);
  const text = event(random);
  // The kept value stays as it is: no packet that is valid names it.
  return chance(random, 60)
    ? mutate(random, Buffer.from(text), 3).toString('utf8').replaceAll(KEPT, 'k')
    : text;
}

/** A valid packet of a call that means harm, with attachments or without. */
function event(random: Random): string {
  const namespace = pick(random, NAMESPACES);
  const args: unknown[] = ['call', ...sample(random, hostileCall)];
  const id = chance(random, 70) ? String(random.integer(0, 1000)) : '';
  const attachments = chance(random, 20) ? random.integer(1, 12) : 0;
  for (let num = 0; num < attachments; num += 1) args.push({ _placeholder: true, num });
  const type = attachments > 0 ? `45${attachments}-` : '42';
  return `${type}${namespace},${id}${JSON.stringify(args)}`.replaceAll(`"${KEPT}"`, '"k"');
}

function sample<T>(random: Random, from: fc.Arbitrary<T>): T {
  const [value] = fc.sample(from, { seed: random.integer(0, 2 ** 31 - 1), numRuns: 1 });
  return value as T;
}

async function pollingSid(port: number): Promise<string> {
  const { body } = await ask(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`);
  return /"sid":"([^"]+)"/.exec(body?.toString() ?? '')?.[1] ?? '';
}

function validRequest(random: Random, sid: string): Buffer {
  const path = `/socket.io/?EIO=${pick(random, [4, 3])}&transport=polling`;
  const headers = { host: '127.0.0.1' };
  const body = Buffer.from(
    Array.from({ length: random.integer(1, 5) }, () => packet(random).toString()).join('\u001e'),
  );
  switch (random.integer(0, 3)) {
    case 0:
      return requestBytes({ method: 'GET', path, headers });
    case 1:
      return requestBytes({
        method: 'GET',
        path: `/socket.io/?EIO=4&transport=websocket`,
        headers: {
          ...headers,
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': 13,
          'sec-websocket-key': randomBytes(random, 16).toString('base64'),
        },
        body: frame(random, body),
      });
    default:
      return requestBytes({
        method: 'POST',
        path: `${path}&sid=${sid}`,
        headers: { ...headers, 'content-type': 'text/plain;charset=UTF-8', 'content-length': body.length },
        body,
      });
  }
}

/** A frame of WebSocket, masked as those of clients are. */
function frame(random: Random, payload: Buffer): Buffer {
  const mask = randomBytes(random, 4);
  const head = Buffer.from([0x80 | pick(random, [0, 1, 2, 8, 9, 10, 11]), 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(BigInt(chance(random, 80) ? payload.length : 2 ** 40), 2);
  const masked = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  return Buffer.concat([head, mask, masked]);
}
