import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../testing/eventually.js';
import { metric, readiness } from '../../testing/probe.js';
import { startProcessor } from '../../testing/stack.js';
import { EmbeddedQueue } from '../queue/embedded/embedded-queue.js';

interface Setup {
  readonly data: string;
  readonly queue: EmbeddedQueue;
  readonly trace: () => Promise<string[]>;
  readonly env: Record<string, string>;
}

/** Folders of extensions whose processors have these bodies, `say` writes a line of the trace. */
async function setUp(t: TestContext, bodies: Readonly<Record<string, string>>): Promise<Setup> {
  const data = await temporaryFolder(t);
  const folder = path.join(data, 'own');
  const trace = path.join(data, 'trace');
  await writeFile(trace, '');
  for (const [name, body] of Object.entries(bodies)) {
    await mkdir(path.join(folder, name), { recursive: true });
    await writeFile(
      path.join(folder, name, 'index.mjs'),
      `import { appendFileSync } from 'node:fs';
       const say = text => appendFileSync(${JSON.stringify(trace)}, text + '\\n');
       export default ({ PermanentError }) => ({
         name: '${name}', version: '1', configValidator: (b, section) => ({ topic: 'of-${name}', ...section }),
         queueProcessor: class { constructor(context) { this.context = context; } ${body} },
       });`,
    );
  }
  const queues = path.join(data, 'extensions', 'queue');
  await mkdir(queues, { recursive: true });
  const queue = new EmbeddedQueue({ folder: queues, segmentBytes: 1024 ** 2, log: silentLogger() });
  t.after(() => queue.close());
  return {
    data,
    queue,
    trace: async () => (await readFile(trace, 'utf8')).split('\n').filter(Boolean),
    env: { EXTENSIONS_PATH: folder, PROCESSOR_RETRY_MIN_MS: '10', PROCESSOR_RETRY_MAX_MS: '50' },
  };
}

const SLOW = `async processEntry(message, signal) {
  say('begin ' + message.value);
  signal.addEventListener('abort', () => say('told ' + message.value));
  await new Promise(resolve => setTimeout(resolve, Number(message.value)));
  say('end ' + message.value);
}
async close() { say('close'); }`;

test('SIGTERM waits for the attempt under way, and closes the processor after it', async t => {
  const { data, queue, trace, env } = await setUp(t, { slow: SLOW });
  await queue.publish('of-slow', [{ key: 'k', value: '1200' }]);
  const processor = await startProcessor(t, data, 'slow', env);
  await eventually(async () => (await trace()).length === 1, 'it has begun');
  assert.deepEqual(await processor.kill(), { code: 0, signal: null });
  assert.deepEqual(await trace(), ['begin 1200', 'end 1200', 'close']);
  assert.equal(await queue.backlog('of-slow', 'slow-group'), 0);
});

test('an attempt that takes longer than STOP_GRACE_MS is told to end, and named when the process ends', async t => {
  const { data, queue, trace, env } = await setUp(t, { slow: SLOW });
  await queue.publish('of-slow', [{ key: 'photos/cat', value: '600000' }]);
  const processor = await startProcessor(t, data, 'slow', { ...env, STOP_GRACE_MS: '1000' });
  await eventually(async () => (await trace()).length === 1, 'it has begun');
  assert.deepEqual(await processor.kill(), { code: 1, signal: null });
  assert.deepEqual(await trace(), ['begin 600000', 'told 600000']);
  assert.match(processor.output(), /these messages are still being worked on: photos\/cat/);
  // Nothing of it is lost.
  assert.equal(await queue.backlog('of-slow', 'slow-group'), 1);
});

test('extensions work in a chain: what one publishes, the next one processes', async t => {
  const { data, queue, trace, env } = await setUp(t, {
    first: `async processEntry({ key, value }) {
      if (value === 'bad') await this.context.publish('no topic', 'k', 'v');
      await this.context.publish('of-second', 'b/' + key, JSON.stringify({ from: value }));
    }`,
    second: `async processEntry({ key, value }) { say(key + ' ' + value); }`,
  });
  const first = await startProcessor(t, data, 'first', env);
  await startProcessor(t, data, 'second', env);
  await queue.publish('of-first', [
    { key: 'a', value: '1' },
    { key: 'a', value: '2' },
    { key: 'b', value: 'bad' },
  ]);
  await eventually(async () => (await trace()).length === 2, 'both came');
  assert.deepEqual(await trace(), ['b%2Fa {"from":"1"}', 'b%2Fa {"from":"2"}']);
  const port = first.ports.PROCESSOR_PROBE_PORT;
  await eventually(
    async () => (await metric(port, 'processor_messages_total', 'parked')) === 1,
    'a topic that is none is parked',
  );
  assert.equal(await metric(port, 'processor_published_total', 'of-second'), 2);
});

test('a processor is paused and resumed, and says how much is left', async t => {
  const { data, queue, trace, env } = await setUp(t, {
    own: `async processEntry({ value }) {
      if (value === 'park') throw new PermanentError('never');
      say(value);
    }`,
  });
  const processor = await startProcessor(t, data, 'own', env);
  const port = processor.ports.PROCESSOR_PROBE_PORT;
  const post = async (what: string): Promise<number> =>
    (await fetch(`http://127.0.0.1:${port}/_/${what}`, { method: 'POST' })).status;
  assert.equal(await post('pause'), 200);
  assert.equal(await metric(port, 'processor_paused'), 1);
  await queue.publish(
    'of-own',
    ['1', '2', 'park', '3'].map(value => ({ key: 'k', value })),
  );
  assert.equal(await metric(port, 'processor_lag_messages'), 4);
  assert.equal(await metric(port, 'queue_backlog_messages', 'topic="of-own"', 'group="own-group"'), 4);
  assert.equal((await readiness(port)).status, 200);
  assert.deepEqual(await trace(), []);
  assert.equal(await post('resume'), 200);
  await eventually(async () => (await trace()).length === 3, 'all came');
  await eventually(async () => (await metric(port, 'processor_lag_messages')) === 0, 'nothing is left');
  assert.equal(await metric(port, 'queue_backlog_messages', 'topic="of-own-failed"'), 1);
  assert.equal(await metric(port, 'processor_paused'), 0);
});

test('an attempt that never settles is seen in the metrics and by the readiness, and is parked', async t => {
  const { data, queue, trace, env } = await setUp(t, {
    own: `async processEntry({ value }) {
      if (value === 'hang') await new Promise(() => undefined);
      say(value);
    }`,
  });
  await queue.publish('of-own', [
    { key: 'k', value: 'hang' },
    { key: 'k', value: 'next' },
  ]);
  const limits = { PROCESSOR_ATTEMPT_TIMEOUT_MS: '700', PROCESSOR_MAX_ATTEMPTS: '2' };
  const processor = await startProcessor(t, data, 'own', { ...env, ...limits });
  const port = processor.ports.PROCESSOR_PROBE_PORT;
  await eventually(
    async () => (await metric(port, 'processor_oldest_message_seconds')) > 0.3,
    'the gauge shows it',
  );
  await eventually(async () => (await readiness(port)).status === 503, 'it is not ready');
  assert.match((await readiness(port)).reason, /the attempt took longer than 700 ms/);
  await eventually(async () => (await trace()).length === 1, 'the next one is processed');
  assert.equal(await metric(port, 'processor_messages_total', 'parked'), 1);
  assert.equal(await metric(port, 'processor_failed_attempts_total', 'timeout'), 2);
  assert.equal((await readiness(port)).status, 200);
});
