import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { ERRORS } from '@zenko-modules/common/errors';
import { METADATA_NAMESPACE, RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { type DaemonProcess, startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import fc from 'fast-check';
import { COLLECT_GARBAGE, heapOf, nothingIsOpen } from '../testing/daemon-metrics.js';
import { hostileCall, hostilePacket } from '../testing/hostile-calls.js';
import { propertyOptions } from '../testing/seed.js';
import { streamIdOf, type WireAnswer, WireClient } from '../testing/socket-io-clients.js';

const ENTRY = fileURLToPath(new URL('../main.js', import.meta.url));
const MiB = 1024 * 1024;

class Daemon {
  readonly process: DaemonProcess;
  readonly url: string;

  private constructor(daemon: DaemonProcess) {
    this.process = daemon;
    this.url = `http://127.0.0.1:${daemon.ports['METADATA_PORT']}`;
  }

  static async start(t: TestContext): Promise<Daemon> {
    const env = {
      ...COLLECT_GARBAGE,
      DATA_DIR: await temporaryFolder(t),
      METADATA_PORT: '0',
      METADATA_PROBE_PORT: '0',
    };
    return new Daemon(await startDaemon(t, { entry: ENTRY, env }));
  }

  get probePort(): number | undefined {
    return this.process.ports['METADATA_PROBE_PORT'];
  }

  metadata(t: Pick<TestContext, 'after'>): Promise<WireClient> {
    return WireClient.connect(t, this.url + METADATA_NAMESPACE);
  }

  recordLog(t: Pick<TestContext, 'after'>): Promise<WireClient> {
    return WireClient.connect(t, this.url + RECORD_LOG_NAMESPACE);
  }
}

async function stillWorks(client: WireClient): Promise<void> {
  const subLevel = ['good'];
  const value = JSON.stringify({ n: 1 });
  assert.equal((await client.call('put', { rpcArgs: ['k', value, {}], subLevel })).err, null);
  assert.equal((await client.call('get', { rpcArgs: ['k', {}], subLevel })).result, value);
  const { result } = await client.call('createReadStream', { rpcArgs: [{}], subLevel });
  assert.deepEqual(await client.items(streamIdOf(result)), [{ key: 'k', value }]);
}

function checkAnswer({ err }: WireAnswer): void {
  if (err === null) return;
  assert.equal(err.is_arsenal_error, true);
  assert.ok(Object.hasOwn(ERRORS, err.type), err.type);
  assert.notEqual(err.type, 'InternalError', err.description);
}

test('thousands of malformed calls get named errors, and leave neither memory nor iterators behind', async t => {
  const daemon = await Daemon.start(t);
  const client = await daemon.metadata(t);
  const clients = [client, await daemon.recordLog(t)];
  const attack = (runs: number): Promise<void> =>
    fc.assert(
      fc.asyncProperty(fc.array(hostileCall, { minLength: 40, maxLength: 60 }), async calls => {
        const answers = calls.flatMap(args => clients.map(target => target.send(...args)));
        (await Promise.all(answers)).forEach(checkAnswer);
      }),
      propertyOptions(t, runs),
    );
  await attack(20);
  await nothingIsOpen(daemon.probePort);
  const before = await heapOf(daemon.process);
  await attack(60);
  await nothingIsOpen(daemon.probePort);
  const after = await heapOf(daemon.process);
  assert.ok(after < before + 10 * MiB, `the heap grew from ${before} to ${after} bytes`);
});

test('packets that are none, on the polling transport, end at most their own connection', async t => {
  const daemon = await Daemon.start(t);
  const client = await daemon.metadata(t);
  const property = fc.asyncProperty(
    fc.array(hostilePacket, { minLength: 1, maxLength: 4 }),
    async packets => {
      for (const version of [4, 3]) {
        const polling = `${daemon.url}/socket.io/?EIO=${version}&transport=polling`;
        const opening = await (await fetch(polling)).text();
        const sid = /"sid":"([^"]+)"/.exec(opening)?.[1];
        assert.ok(sid, opening);
        for (const body of packets) {
          const text = version === 4 ? body : `${body.length}:${body}`;
          await (await fetch(`${polling}&sid=${sid}`, { method: 'POST', body: text })).arrayBuffer();
        }
      }
    },
  );
  await fc.assert(property, propertyOptions(t, 60));
  await stillWorks(client);
});

test('a message beyond the limit ends its own connection only, a huge one below it is answered', async t => {
  const daemon = await Daemon.start(t);
  const client = await daemon.metadata(t);
  const { err } = await client.send('put', { rpcArgs: ['x'.repeat(20 * MiB), '{}', {}], subLevel: ['b'] });
  assert.equal(err?.type, 'InvalidArgument');
  const greedy = await daemon.metadata(t);
  const ended = new Promise(resolve => greedy.socket.on('disconnect', resolve));
  greedy.socket.emit(
    'call',
    'put',
    { rpcArgs: ['k', 'x'.repeat(101 * MiB), {}], subLevel: ['b'] },
    () => undefined,
  );
  await ended;
  await stillWorks(client);
});

test('a hundred clients that open streams and vanish, or never acknowledge, leave nothing open', async t => {
  const daemon = await Daemon.start(t);
  const client = await daemon.metadata(t);
  const subLevel = ['many'];
  const value = JSON.stringify({ some: 'x'.repeat(1000) });
  await Promise.all(
    Array.from({ length: 600 }, (_, index) =>
      client.call('put', { rpcArgs: [`k${index}`, value, {}], subLevel }),
    ),
  );
  const before = await heapOf(daemon.process);
  const leaving: (() => void)[] = [];
  const held = { after: (leave: () => void) => void leaving.push(leave) };
  const sockets = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      const reader = await daemon.metadata(held);
      // Half of them stay connected, and read without a word.
      if (index % 2) reader.stopAcknowledging();
      await Promise.all(
        Array.from({ length: 5 }, () => reader.call('createReadStream', { rpcArgs: [{}], subLevel })),
      );
      return reader;
    }),
  );
  sockets.filter((_, index) => index % 2 === 0).forEach(reader => reader.vanish());
  await stillWorks(client);
  await sleep(5000); // the time that the protocol gives a client to acknowledge
  await nothingIsOpen(daemon.probePort);
  await stillWorks(client);
  leaving.forEach(leave => leave());
  const after = await heapOf(daemon.process);
  assert.ok(after < before + 10 * MiB, `the heap grew from ${before} to ${after} bytes`);
});
