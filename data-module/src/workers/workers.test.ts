/** Several workers: what one stores the others have, one that dies is replaced, and all stop together. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { type DaemonProcess, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { HttpStore } from '../testing/http-store.js';
import { connectRaw } from '../testing/raw-http.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const WORKERS = 3;
const WAIT_MS = 20_000;

interface Started {
  readonly daemon: DaemonProcess;
  readonly port: number;
  readonly probe: (path: string) => Promise<Response>;
}

async function started(t: TestContext, env: Readonly<Record<string, string>> = {}): Promise<Started> {
  const daemon = await startDaemon(t, {
    entry: MAIN,
    env: {
      DATA_PORT: '0',
      DATA_PROBE_PORT: '0',
      DATA_DIR: await temporaryFolder(t),
      DATA_WORKERS: String(WORKERS),
      ...env,
    },
  });
  const { DATA_PORT: port = 0, DATA_PROBE_PORT: probePort = 0 } = daemon.ports;
  return { daemon, port, probe: path => fetch(`http://127.0.0.1:${probePort}${path}`) };
}

async function workersOf({ pid }: DaemonProcess): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.split(' ').filter(Boolean).map(Number);
}

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, `${what}, within ${WAIT_MS} ms`);
    await sleep(50);
  }
}

async function figureOf(probe: Started['probe'], name: string): Promise<number> {
  const lines = (await (await probe('/metrics')).text()).split('\n');
  return Number(lines.find(line => line.startsWith(`${name} `))?.slice(name.length));
}

test('every connection reaches the blobs of all, and the metrics are those of all workers', async t => {
  const { daemon, port, probe } = await started(t);
  assert.equal((await workersOf(daemon)).length, WORKERS);
  const keys: string[] = [];
  for (let i = 0; i < 2 * WORKERS; i += 1) {
    const store = new HttpStore(port);
    keys.push(await store.put(Readable.from(['bytes']), 5));
    await store.close();
  }
  for (const key of keys) {
    const store = new HttpStore(port);
    assert.equal(await text(await store.get(key)), 'bytes');
    await store.close();
  }
  const metrics = await (await probe('/metrics')).text();
  assert.match(
    metrics,
    new RegExp(`^data_http_requests_total\\{method="PUT",status="201"\\} ${keys.length}$`, 'm'),
  );
  assert.match(metrics, new RegExp(`^data_blob_bytes_total\\{direction="out"\\} ${5 * keys.length}$`, 'm'));
});

test('a worker that is killed is replaced; what was acknowledged is there, and the module is ready again', async t => {
  const { daemon, port, probe } = await started(t);
  const before = new HttpStore(port);
  const key = await before.put(Readable.from(['bytes']), 5);
  await before.close();
  for (let round = 0; round < 2; round += 1) {
    const workers = await workersOf(daemon);
    // All but one, and then all.
    for (const worker of workers.slice(round === 0 ? 1 : 0)) process.kill(worker, 'SIGKILL');
    await eventually('others have taken their place', async () => {
      const now = await workersOf(daemon);
      const isNew = now.filter(pid => !workers.includes(pid)).length >= WORKERS - 1 + round;
      return now.length === WORKERS && isNew && (await probe('/_/ready')).status === 200;
    });
    const store = new HttpStore(port);
    assert.equal(await text(await store.get(key)), 'bytes');
    assert.equal(await text(await store.get(await store.put(Readable.from(['again']), 5))), 'again');
    await store.close();
  }
  assert.deepEqual(await daemon.kill('SIGTERM'), { code: 0, signal: null });
});

test('counters keep what workers had counted that are no more', async t => {
  const { daemon, port, probe } = await started(t);
  const put = async (): Promise<void> => {
    const store = new HttpStore(port);
    await store.put(Readable.from(['bytes']), 5);
    await store.close();
  };
  const figure = (name: string): Promise<number> => figureOf(probe, name);
  const counter = 'data_http_requests_total{method="PUT",status="201"}';
  const histogram = 'data_http_request_seconds_count{method="PUT"}';
  for (let i = 0; i < 2 * WORKERS; i += 1) await put();
  assert.equal(await figure(counter), 2 * WORKERS);
  for (let round = 1; round <= 2; round += 1) {
    const workers = await workersOf(daemon);
    for (const worker of workers) process.kill(worker, 'SIGKILL');
    await eventually('others have taken their place', async () => {
      const now = await workersOf(daemon);
      const areNew = now.every(pid => !workers.includes(pid));
      return areNew && now.length === WORKERS && (await probe('/_/ready')).status === 200;
    });
    await put();
    assert.equal(await figure(counter), 2 * WORKERS + round);
    assert.equal(await figure(histogram), 2 * WORKERS + round);
    assert.equal(await figure('data_http_requests_in_flight'), 0);
  }
});

test('at SIGTERM uploads in flight on every worker end, and all processes with them', async t => {
  const { daemon, port, probe } = await started(t);
  const workers = await workersOf(daemon);
  const uploads = Array.from({ length: 2 * WORKERS }, () => connectRaw(port));
  for (const upload of uploads)
    upload.write('PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfive.');
  await eventually(
    'all are under way',
    async () => (await figureOf(probe, 'data_http_requests_in_flight')) === uploads.length,
  );
  const stopped = daemon.kill('SIGTERM');
  await sleep(300);
  for (const upload of uploads) upload.write('five.');
  for (const upload of uploads) assert.match(await upload.closed, /^HTTP\/1.1 201 /);
  assert.deepEqual(await stopped, { code: 0, signal: null });
  for (const worker of workers) assert.throws(() => process.kill(worker, 0), /ESRCH/);
});

test('workers end with the first process when that is killed', async t => {
  const { daemon } = await started(t);
  const workers = await workersOf(daemon);
  await daemon.kill('SIGKILL');
  await eventually('they have gone', () =>
    Promise.resolve(
      workers.every(pid => {
        try {
          process.kill(pid, 0);
          return false;
        } catch {
          return true;
        }
      }),
    ),
  );
});
