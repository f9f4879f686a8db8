import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import tls from 'node:tls';
import { silentLogger } from '@zenko-modules/common/logger';
import { AddressList } from '@zenko-modules/common/network/address-list';
import type { PortPlan } from '@zenko-modules/common/network/port-plan';
import { createRefusalCounter } from '@zenko-modules/common/network/refusal-metrics';
import { Refusals } from '@zenko-modules/common/network/refusals';
import { TestAuthority } from '@zenko-modules/common/testing/certificates';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { Registry } from 'prom-client';
import { addressText, parseAddress } from './address.js';
import { Doors } from './doors.js';
import { answers } from './owner-answers.js';

interface Opened {
  readonly doors: Doors;
  readonly plain: number;
  readonly tls: number;
  readonly metrics: () => Promise<string>;
}

async function openDoors(t: TestContext, plan: Partial<PortPlan>): Promise<Opened> {
  const registry = new Registry();
  const refusals = new Refusals(silentLogger(), createRefusalCounter('metadata', registry));
  const doors = await Doors.open({
    plan: { plain: undefined, tls: undefined, ...plan },
    refusals,
    log: silentLogger(),
  });
  t.after(() => {
    doors.shut();
    doors.hold();
    doors.cut();
  });
  const { METADATA_PORT: plain = 0, METADATA_TLS_PORT: secured = 0 } = doors.ports;
  return { doors, plain, tls: secured, metrics: () => registry.metrics() };
}

const PLAIN = { setting: 'METADATA_PORT', port: 0, address: '127.0.0.1', allowFrom: undefined };

const REQUEST = 'GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n';

/** One that ends a slow request soon once its `requestTimeout` is short. */
function httpServer(name: string): http.Server {
  return http.createServer({ connectionsCheckingInterval: 20 }, (_req, res) => res.end(`${name} answers`));
}

/** All that comes until the other side closes. */
async function received(socket: net.Socket): Promise<string> {
  let text = '';
  socket.on('error', () => socket.destroy()).on('data', data => (text += data.toString()));
  if (!socket.destroyed) await new Promise(resolve => socket.once('close', resolve));
  return text;
}

function visit(t: TestContext, port: number, address = '127.0.0.1', text = REQUEST): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: address });
  t.after(() => socket.destroy());
  socket.write(text);
  return received(socket);
}

test('a stand-by closes connections from elsewhere, whether it holds, passes on or serves', async t => {
  const { doors, plain, metrics } = await openDoors(t, {
    plain: { ...PLAIN, allowFrom: new AddressList(['127.0.0.1']) },
  });
  // Nobody serves: this one would be held.
  assert.equal(await visit(t, plain, '127.0.0.2'), '');
  const owner = await openDoors(t, { plain: PLAIN });
  owner.doors.serve(httpServer('the owner'));
  doors.passTo({ id: 'a', address: addressText({ plain: `127.0.0.1:${owner.plain}`, tls: undefined }) });
  assert.equal(await visit(t, plain, '127.0.0.2'), '');
  assert.match(await visit(t, plain), /the owner answers/);
  doors.serve(httpServer('the other'));
  assert.equal(await visit(t, plain, '127.0.0.2'), '');
  assert.match(await visit(t, plain), /the other answers/);
  assert.match(
    await metrics(),
    /^metadata_connections_refused_total\{port="METADATA_PORT",reason="address"\} 3$/m,
  );
});

test('an owner that takes no connections of a stand-by makes it unready', async t => {
  const { signal } = new AbortController();
  const closed = await openDoors(t, { plain: { ...PLAIN, allowFrom: new AddressList(['127.0.0.9']) } });
  closed.doors.serve(httpServer('the owner'));
  const plain = `127.0.0.1:${closed.plain}`;
  await assert.rejects(answers({ plain, tls: undefined }, signal), /takes no connection from here/);
  await assert.rejects(answers({ plain: undefined, tls: undefined }, signal), /does not say where/);
  const open = await openDoors(t, { plain: PLAIN });
  open.doors.serve(httpServer('the owner'));
  await answers({ plain: `127.0.0.1:${open.plain}`, tls: undefined }, signal);
});

test('TLS is passed on as it is: client and owner see the certificates of each other', async t => {
  const folder = await temporaryFolder(t);
  const authority = await TestAuthority.make(path.join(folder, 'authority'));
  const plan = async (name: string): Promise<Partial<PortPlan>> => {
    const { cert, key } = await authority.issue(name);
    const files = { certFile: cert, keyFile: key, caFile: authority.cert, settings: 'TLS' };
    return { plain: PLAIN, tls: { ...PLAIN, setting: 'METADATA_TLS_PORT', files } };
  };
  const standBy = await openDoors(t, await plan('stand-by'));
  const owner = await openDoors(t, await plan('owner'));
  const server = httpServer('the owner');
  const clients: string[] = [];
  server.on('request', (req: http.IncomingMessage) => {
    if (req.socket instanceof tls.TLSSocket) clients.push(String(req.socket.getPeerCertificate().subject.CN));
  });
  owner.doors.serve(server);
  const address = addressText({ plain: `127.0.0.1:${owner.plain}`, tls: `127.0.0.1:${owner.tls}` });
  standBy.doors.passTo({ id: 'a', address });
  const client = await authority.issue('client');
  const [cert, key, ca] = await Promise.all([
    readFile(client.cert),
    readFile(client.key),
    readFile(authority.cert),
  ]);
  const answerTo = async (port: number, text: string): Promise<string> => {
    const socket = tls.connect({ port, host: '127.0.0.1', cert, key, ca });
    t.after(() => socket.destroy());
    await once(socket, 'secureConnect');
    assert.equal(socket.getPeerCertificate().subject.CN, 'owner');
    socket.write(text);
    return received(socket);
  };
  for (const port of [standBy.tls, owner.tls])
    assert.match(await answerTo(port, REQUEST), /the owner answers/);
  assert.deepEqual(clients, ['client', 'client']);
  assert.match(await visit(t, standBy.plain), /the owner answers/);
  // Slow requests are ended, as on any port.
  const slow = 'GET / HTTP/1.1\r\n';
  Object.assign(server, { headersTimeout: 50, requestTimeout: 100 });
  assert.match(await answerTo(owner.tls, slow), /^HTTP\/1.1 408 /);
  assert.match(await visit(t, owner.plain, '127.0.0.1', slow), /^HTTP\/1.1 408 /);
  // A client without a certificate comes no further through a stand-by.
  const stranger = tls.connect({ port: standBy.tls, host: '127.0.0.1', ca });
  t.after(() => stranger.destroy());
  stranger.write(REQUEST);
  assert.equal(await received(stranger), '');
  assert.equal(clients.length, 2);
});

test('where an owner is reached can be read back, also without a plain port', () => {
  for (const address of [
    { plain: '10.0.0.1:9990', tls: undefined },
    { plain: '[fd00::1]:9990', tls: '[fd00::1]:9443' },
    { plain: undefined, tls: 'module:9443' },
  ])
    assert.deepEqual(parseAddress(addressText(address)), address);
  assert.equal(addressText({ plain: '10.0.0.1:9990', tls: undefined }), '10.0.0.1:9990');
});
