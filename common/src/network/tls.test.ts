/** TLS with client certificates: who gets through, who does not, what a handshake may cost, and files that change. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, rename, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import tls from 'node:tls';
import { Registry } from 'prom-client';
import { sleep } from '../deadline.js';
import { listen } from '../listen.js';
import { silentLogger } from '../logger.js';
import { readSettings } from '../settings.js';
import { type CertificateFiles, TestAuthority } from '../testing/certificates.js';
import { seededRandom } from '../testing/random.js';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { MODULE_PORT_SETTINGS, planPorts } from './port-plan.js';
import { createRefusalCounter } from './refusal-metrics.js';
import { Refusals } from './refusals.js';
import { openServerPorts } from './server-ports.js';
import { TlsAcceptor, type TlsAcceptorOptions } from './tls-acceptor.js';
import { TlsAgent } from './tls-agent.js';
import { TlsClient } from './tls-client.js';
import type { TlsFiles } from './tls-files.js';
import { openTlsClient, TLS_SETTINGS } from './tls-settings.js';

const WAIT_MS = 30_000;

function filesOf({ cert, key }: CertificateFiles, authority: TestAuthority): TlsFiles {
  return { certFile: cert, keyFile: key, caFile: authority.cert, settings: 'TLS' };
}

interface Served {
  readonly port: number;
  /** Names of the clients that got through, one for each request. */
  readonly clients: readonly string[];
  readonly refused: (reason: string) => Promise<number>;
}

async function serve(
  t: TestContext,
  files: TlsFiles,
  limits: Pick<TlsAcceptorOptions, 'handshakeMs' | 'maxHandshakes'> = {},
): Promise<Served> {
  const registry = new Registry();
  const refusals = new Refusals(silentLogger(), createRefusalCounter('data', registry));
  const clients: string[] = [];
  const server = http.createServer((req, res) => {
    assert.ok(req.socket instanceof tls.TLSSocket);
    clients.push(nameIn(req.socket.getPeerCertificate()));
    res.end('answer');
  });
  const acceptor = await TlsAcceptor.create({
    files,
    serve: socket => void server.emit('connection', socket),
    portSetting: 'DATA_TLS_PORT',
    refusals,
    log: silentLogger(),
    ...limits,
  });
  const port = await listen(acceptor.server, 'DATA_TLS_PORT', 0, '127.0.0.1');
  t.after(async () => {
    acceptor.close();
    server.closeAllConnections();
    await new Promise(resolve => acceptor.server.close(resolve));
  });
  const refused = async (reason: string): Promise<number> => {
    const line = (await registry.metrics()).split('\n').find(each => each.includes(`reason="${reason}"`));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  return { port, clients, refused };
}

/** Of a client without a certificate, `undefined`. */
function nameIn({ subject }: Partial<tls.PeerCertificate>): string {
  return String(subject?.CN);
}

function ask(port: number, agent: https.Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = https.get({ host: '127.0.0.1', port, agent }, response => {
      response.setEncoding('utf8').on('data', resolve).on('error', reject);
    });
    request.on('error', reject);
  });
}

async function agentOf(t: TestContext, files: TlsFiles): Promise<TlsAgent> {
  const client = await TlsClient.open(files, silentLogger());
  const agent = new TlsAgent(client);
  t.after(() => {
    agent.destroy();
    client.close();
  });
  return agent;
}

async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what}, within ${WAIT_MS} ms`);
    await sleep(20);
  }
}

const succeeds = (result: Promise<unknown>): Promise<boolean> =>
  result.then(
    () => true,
    () => false,
  );

test('a client with a certificate of ours gets through; without, or with another, it is refused', async t => {
  const folder = await temporaryFolder(t);
  const [ours, others] = await Promise.all([
    TestAuthority.make(path.join(folder, 'ours')),
    TestAuthority.make(path.join(folder, 'others')),
  ]);
  const { port, clients, refused } = await serve(t, filesOf(await ours.issue('module'), ours));
  const right = await agentOf(t, filesOf(await ours.issue('front'), ours));
  assert.equal(await ask(port, right), 'answer');
  // It trusts the module, and has nothing to show, or what somebody else has signed.
  const ca = await readFile(ours.cert);
  await assert.rejects(ask(port, new https.Agent({ ca })));
  const stranger = await others.issue('front');
  const [cert, key] = await Promise.all([readFile(stranger.cert), readFile(stranger.key)]);
  await assert.rejects(ask(port, new https.Agent({ ca, cert, key })));
  await eventually('both are counted', async () => (await refused('handshake')) === 2);
  // A module that somebody else has signed is refused by the client.
  const foreign = await serve(t, filesOf(await others.issue('module'), ours));
  await assert.rejects(ask(foreign.port, right), /certificate/);
  assert.deepEqual([clients, foreign.clients], [['front'], []]);
});

test('garbage ends the connection that it comes by, and nothing else', async t => {
  const ours = await TestAuthority.make(path.join(await temporaryFolder(t), 'ours'));
  const { port, clients, refused } = await serve(t, filesOf(await ours.issue('module'), ours));
  const greeting = Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);
  const random = seededRandom(t);
  const randomBytes = (count: number): Buffer =>
    Buffer.from(Array.from({ length: count }, () => random.integer(0, 255)));
  const garbage = [
    Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    Buffer.concat([greeting, randomBytes(600)]),
    ...Array.from({ length: 40 }, (_, i) => randomBytes(1 + i * 50)),
  ];
  await Promise.all(
    garbage.map(async bytes => {
      const socket = net.connect({ port, host: '127.0.0.1' });
      socket.on('error', () => socket.destroy()).resume();
      socket.end(bytes);
      await new Promise(resolve => socket.once('close', resolve));
    }),
  );
  assert.ok((await refused('handshake')) > 10);
  assert.equal(await ask(port, await agentOf(t, filesOf(await ours.issue('front'), ours))), 'answer');
  assert.deepEqual(clients, ['front']);
});

async function silent(t: TestContext, port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.on('error', () => socket.destroy()).resume();
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

test('a handshake that stands still is ended', async t => {
  const ours = await TestAuthority.make(path.join(await temporaryFolder(t), 'ours'));
  const files = filesOf(await ours.issue('module'), ours);
  const { port, refused } = await serve(t, files, { handshakeMs: 50 });
  const socket = await silent(t, port);
  if (!socket.destroyed) await once(socket, 'close');
  assert.equal(await refused('handshake'), 1);
});

test('of too many handshakes the oldest are cut off, and whoever completes theirs gets through', async t => {
  const ours = await TestAuthority.make(path.join(await temporaryFolder(t), 'ours'));
  const files = filesOf(await ours.issue('module'), ours);
  const { port, refused } = await serve(t, files, { handshakeMs: 60_000, maxHandshakes: 3 });
  const sockets: net.Socket[] = [];
  for (let i = 0; i < 6; i += 1) sockets.push(await silent(t, port));
  const open = (): number[] => sockets.flatMap(({ destroyed }, i) => (destroyed ? [] : [i]));
  await eventually('three are left', () => open().length === 3);
  assert.deepEqual(open(), [3, 4, 5]);
  assert.equal(await refused('too many handshakes'), 3);
  const right = await agentOf(t, filesOf(await ours.issue('front'), ours));
  for (let i = 0; i < 5; i += 1) assert.equal(await ask(port, right), 'answer');
  assert.equal(open().length, 2);
  // What a handshake is waited for counts no longer once it is over.
  assert.equal(await refused('too many handshakes'), 4);
  assert.equal(await refused('handshake'), 0);
});

test('files that change are taken over on both sides, and what they no longer name is refused', async t => {
  const folder = await temporaryFolder(t);
  const [first, second] = await Promise.all([
    TestAuthority.make(path.join(folder, 'first')),
    TestAuthority.make(path.join(folder, 'second')),
  ]);
  const [module, front] = [await first.issue('module'), await first.issue('front')];
  const { port, clients } = await serve(t, filesOf(module, first));
  const right = await agentOf(t, filesOf(front, first));
  assert.equal(await ask(port, right), 'answer');
  const [oldCert, oldKey] = await Promise.all([readFile(front.cert), readFile(front.key)]);
  const secondCa = await readFile(second.cert);
  // First the new authority beside the old one, then the certificates, then the new authority alone.
  await writeFile(first.cert, [await readFile(first.cert), secondCa].join('\n'));
  const [newModule, newFront] = [await second.issue('module-2'), await second.issue('front-2')];
  for (const [from, to] of [
    [newModule, module],
    [newFront, front],
  ] as const) {
    await rename(from.key, to.key);
    await rename(from.cert, to.cert);
  }
  await eventually('both are new', async () => {
    // While one side is ahead of the other they may refuse each other.
    await succeeds(ask(port, right));
    return clients.at(-1) === 'front-2';
  });
  await eventually('the module is new', () =>
    succeeds(ask(port, new https.Agent({ ca: secondCa, cert: oldCert, key: oldKey }))),
  );
  await writeFile(first.cert, secondCa);
  await eventually('the old client is refused', async () => {
    const old = new https.Agent({ ca: secondCa, cert: oldCert, key: oldKey });
    return !(await succeeds(ask(port, old)));
  });
  assert.equal(await ask(port, right), 'answer');
  assert.equal(clients.at(-1), 'front-2');
});

test('files that cannot be used are refused with their settings and what is wrong', async t => {
  const ours = await TestAuthority.make(path.join(await temporaryFolder(t), 'ours'));
  const [one, two] = [await ours.issue('one'), await ours.issue('two')];
  const none = { ...filesOf(one, ours), caFile: path.join(path.dirname(one.cert), 'none') };
  for (const [files, wrong] of [
    [none, /^TLS: ENOENT/],
    [{ ...filesOf(one, ours), caFile: one.key }, /^TLS: .*one\.key holds no certificate in PEM$/],
    [filesOf({ ...one, key: two.key }, ours), /^TLS: .*key values mismatch/],
  ] as const)
    await assert.rejects(TlsClient.open(files, silentLogger()), { name: 'StartError', message: wrong });
  const plan = (env: Readonly<Record<string, string>>, tlsPort: number | undefined): unknown =>
    planPorts(
      readSettings(MODULE_PORT_SETTINGS, env),
      { setting: 'DATA_PORT', port: 0 },
      { setting: 'DATA_TLS_PORT', port: tlsPort },
    );
  assert.throws(
    () => plan({ TLS_KEY_FILE: 'key' }, 0),
    /^StartError: TLS_CERT_FILE, TLS_CA_FILE: not set: DATA_TLS_PORT needs/,
  );
  assert.throws(
    () => plan({ PLAIN_PORTS: 'false' }, undefined),
    /^StartError: PLAIN_PORTS: .*DATA_TLS_PORT is not set/,
  );
  // What is meant for TLS, and would be without effect.
  const settings = {
    TLS_CA_FILE: 'ca',
    TLS_KEY_FILE: 'key',
    TLS_ALLOW_FROM: '10.0.0.0/8',
    TLS_LISTEN_ADDRESS: '::1',
  };
  for (const [name, value] of Object.entries(settings))
    assert.throws(
      () => plan({ [name]: value }, undefined),
      new RegExp(`^StartError: ${name}: set, and DATA_TLS_PORT is not: `),
    );
  const ports = { METADATA_TLS_PORT: undefined, DATA_TLS_PORT: undefined };
  await assert.rejects(
    openTlsClient(
      readSettings(TLS_SETTINGS, { TLS_CA_FILE: 'ca', TLS_KEY_FILE: 'key' }),
      ports,
      silentLogger(),
    ),
    /^StartError: TLS_KEY_FILE, TLS_CA_FILE: set, and METADATA_TLS_PORT, DATA_TLS_PORT are not: /,
  );
  assert.equal(await openTlsClient(readSettings(TLS_SETTINGS, {}), ports, silentLogger()), undefined);
});

test('each port has its own list of addresses, and the plain one may be left closed', async t => {
  const ours = await TestAuthority.make(path.join(await temporaryFolder(t), 'ours'));
  const right = await agentOf(t, filesOf(await ours.issue('front'), ours));
  const tlsEnv = await ours.settingsFor('module');
  const refusals = new Refusals(silentLogger(), createRefusalCounter('data', new Registry()));
  const open = async (env: Readonly<Record<string, string>>): Promise<Readonly<Record<string, number>>> => {
    const server = http.createServer((_req, res) => res.end('answer'));
    const plan = planPorts(
      readSettings(MODULE_PORT_SETTINGS, { ...tlsEnv, ...env }),
      { setting: 'DATA_PORT', port: 0 },
      { setting: 'DATA_TLS_PORT', port: 0 },
    );
    const opened = await openServerPorts({ plan, server, refusals, log: silentLogger() });
    t.after(async () => {
      server.close();
      server.closeAllConnections();
      await opened.shutTls();
    });
    return opened.ports;
  };
  const plainAnswer = (port = 0): Promise<boolean> => succeeds(fetch(`http://127.0.0.1:${port}`));
  const tlsAnswer = (port = 0): Promise<boolean> => succeeds(ask(port, right));
  const closed = '127.0.0.9';
  for (const [env, plain, secured] of [
    [{}, true, true],
    [{ ALLOW_FROM: closed }, false, false],
    [{ ALLOW_FROM: closed, TLS_ALLOW_FROM: '127.0.0.0/8' }, false, true],
    [{ TLS_ALLOW_FROM: closed }, true, false],
  ] as const) {
    const ports = await open(env);
    const seen = [await plainAnswer(ports.DATA_PORT), await tlsAnswer(ports.DATA_TLS_PORT)];
    assert.deepEqual(seen, [plain, secured], JSON.stringify(env));
  }
  const ports = await open({ PLAIN_PORTS: 'false' });
  assert.deepEqual(Object.keys(ports), ['DATA_TLS_PORT']);
  assert.ok(await tlsAnswer(ports.DATA_TLS_PORT));
});
