/** The module as a process: its start, its refusals, its probes, its log, and its stop. */
import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { runToExit, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { HttpStore } from './testing/http-store.js';
import { connectRaw } from './testing/raw-http.js';

const MAIN = fileURLToPath(new URL('main.js', import.meta.url));
const PORTS = { DATA_PORT: '0', DATA_PROBE_PORT: '0' };

test('a start that cannot succeed is one line that names the setting, and exit code 1', async t => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'file');
  await writeFile(file, '');
  const taken = net.createServer();
  await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve));
  t.after(() => taken.close());
  const used = String((taken.address() as net.AddressInfo).port);
  const good = { ...PORTS, DATA_DIR: folder };

  const refusals: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    ['a port in use', { ...good, DATA_PORT: used }, /^data-module: DATA_PORT: port \d+ .* in use/],
    ['a probe port in use', { ...good, DATA_PROBE_PORT: used }, /DATA_PROBE_PORT: port \d+ .* in use/],
    ['a port that is no number', { ...good, DATA_PORT: 'http' }, /DATA_PORT: "http" .* port number/],
    [
      'an address of another machine',
      { ...good, LISTEN_ADDRESS: '203.0.113.1' },
      /LISTEN_ADDRESS 203.0.113.1/,
    ],
    [
      'a missing folder',
      { ...good, DATA_DIR: path.join(folder, 'none') },
      /DATA_DIR: folder .* does not exist/,
    ],
    ['a folder that is a file', { ...good, DATA_DIR: file }, /DATA_DIR: .*file is not a folder/],
    [
      'a missing volume',
      { ...good, DATA_PATH: path.join(folder, 'none') },
      /DATA_PATH: folder .* does not exist/,
    ],
    [
      'an unknown backend',
      { ...good, DATA_BACKEND: 'no-such-store' },
      /DATA_BACKEND: "no-such-store" .* one of disk/,
    ],
    [
      'settings of other stores',
      {
        ...good,
        DATA_BACKEND: 'packed',
        DATA_PATH: folder,
        S3_STORE_SECRET_KEY_FILE: file,
        MEMCACHED_HOSTS: 'x',
      },
      /^data-module: DATA_BACKEND=packed: set, and without effect for it: DATA_PATH: it is for disk; S3_STORE_SECRET_KEY: it is for s3: unset/,
    ],
    [
      'files on one node of several',
      { ...good, MODULES_ON: 'node.platform.os == linux' },
      /MODULES_ON: "node.*linux" lets .* another node, and DATA_BACKEND=disk keeps files/,
    ],
    [
      'a short keep-alive',
      { ...good, DATA_KEEP_ALIVE_MS: '5000' },
      /DATA_KEEP_ALIVE_MS: "5000" .* from 60000/,
    ],
    [
      'an unreadable file',
      { ...good, DATA_BACKEND_FILE: path.join(folder, 'none') },
      /DATA_BACKEND_FILE: cannot read/,
    ],
    [
      'several wrong ones',
      { ...good, DATA_PORT: '-1', LOG_LEVEL: 'loud' },
      /LOG_LEVEL: "loud".*DATA_PORT: "-1"/,
    ],
  ];
  for (const [name, env, line] of refusals) {
    await t.test(name, async inner => {
      const { code, output } = await runToExit(inner, { entry: MAIN, env });
      assert.equal(code, 1, output);
      assert.match(output, line);
      assert.match(output, /^[^\n]+\n$/);
    });
  }
});

test('a folder that cannot be written is refused', async t => {
  const folder = await temporaryFolder(t);
  await chmod(folder, 0o500);
  // No permission keeps root out, but nobody makes folders in /sys.
  const unwritable = process.getuid?.() === 0 ? '/sys' : folder;
  const { code, output } = await runToExit(t, { entry: MAIN, env: { ...PORTS, DATA_DIR: unwritable } });
  assert.equal(code, 1);
  assert.match(output, /^data-module: DATA_DIR: folder [^\n]* (by this user|read-only file system)\n$/);
});

test('what was stored is there after SIGTERM and a second start, and both exits are 0', async t => {
  const env = { ...PORTS, DATA_DIR: await temporaryFolder(t) };
  const first = await startDaemon(t, { entry: MAIN, env });
  const before = new HttpStore(first.ports.DATA_PORT ?? 0);
  const key = await before.put(Readable.from(['kept']), 4);
  assert.deepEqual(await first.kill('SIGTERM'), { code: 0, signal: null });
  await before.close();
  const second = await startDaemon(t, { entry: MAIN, env });
  const after = new HttpStore(second.ports.DATA_PORT ?? 0);
  assert.equal(await text(await after.get(key)), 'kept');
  await after.close();
  assert.deepEqual(await second.kill('SIGINT'), { code: 0, signal: null });
});

test('an upload that never ends does not keep the process from stopping with 0', async t => {
  const env = { ...PORTS, DATA_DIR: await temporaryFolder(t), STOP_GRACE_MS: '1500' };
  const daemon = await startDaemon(t, { entry: MAIN, env });
  const upload = connectRaw(daemon.ports.DATA_PORT ?? 0);
  upload.write('PUT /DataFile HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfive.');
  const store = new HttpStore(daemon.ports.DATA_PORT ?? 0);
  await store.ping();
  await store.close();
  assert.deepEqual(await daemon.kill('SIGTERM'), { code: 0, signal: null });
  assert.equal(await upload.closed, '');
});

test('the probes answer, metrics count, and each request is one log line with its ids', async t => {
  const env = { ...PORTS, DATA_DIR: await temporaryFolder(t), LOG_LEVEL: 'debug' };
  const daemon = await startDaemon(t, { entry: MAIN, env });
  const probe = (name: string): string => `http://127.0.0.1:${daemon.ports.DATA_PROBE_PORT ?? 0}${name}`;
  for (const name of ['/_/live', '/_/ready']) assert.equal((await fetch(probe(name))).status, 200);

  const url = `http://127.0.0.1:${daemon.ports.DATA_PORT ?? 0}/DataFile`;
  const headers = { 'x-scal-request-uids': 'one:two:three' };
  const stored = await fetch(url, { method: 'PUT', body: 'hello', headers });
  const location = stored.headers.get('location') ?? '';
  // A request is measured and logged when its answer has ended, which its client may see earlier.
  await daemon.printed(/"status":201/);
  await fetch(new URL(location, url), { headers }).then(res => res.text());
  await daemon.printed(/"status":200/);
  await fetch(`${url}/abcd`, { headers }).then(res => res.text());
  await daemon.printed(/"status":404/);

  const metrics = await (await fetch(probe('/metrics'))).text();
  assert.match(metrics, /^data_http_requests_total\{method="PUT",status="201"\} 1$/m);
  assert.match(metrics, /^data_http_requests_total\{method="GET",status="404"\} 1$/m);
  assert.match(metrics, /^data_blob_bytes_total\{direction="in"\} 5$/m);
  assert.match(metrics, /^data_blob_bytes_total\{direction="out"\} 5$/m);
  assert.match(metrics, /^data_store_operation_seconds_count\{operation="get",outcome="ObjNotFound"\} 1$/m);

  await daemon.kill('SIGTERM');
  const lines = daemon
    .output()
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)
    .filter(line => line.reqUids === 'one:two:three');
  assert.deepEqual(
    lines.map(({ method, status, bytesIn, bytesOut, errorType }) => [
      method,
      status,
      bytesIn,
      bytesOut,
      errorType,
    ]),
    [
      ['PUT', 201, 5, 0, undefined],
      ['GET', 200, 0, 5, undefined],
      ['GET', 404, 0, 0, 'ObjNotFound'],
    ],
  );
});
