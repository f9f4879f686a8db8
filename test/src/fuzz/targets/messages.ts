/** Malformed messages in a topic, and malformed entries in the record log: into a processor and a populator. */
import path from 'node:path';
import { silentLogger } from '@zenko-modules/common/logger';
import type { Random } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { EmbeddedQueue } from '@zenko-modules/extensions/framework/queue/embedded/embedded-queue';
import { RpcClient } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { sendSigned } from '@zenko-modules/s3-front/testing/raw-request';
import { ask } from '../ask.js';
import { chance, mutate, pick } from '../choose.js';
import { Finding, type FuzzOptions, type Owner, type Target } from '../target.js';
import { WatchedDaemon } from '../watched-daemon.js';

const TOPIC = 'backbeat-hello-world';
const BUCKET = 'fuzz-bucket';
const MAX_MEMORY_BYTES = 400 * 1024 * 1024;
/** After so many cases a good object is put, and must get its tag. */
const GOOD_EVERY = 20;
const TAG_DEADLINE_MS = 60_000;

export const messages: Target = {
  name: 'messages',
  about: 'malformed messages and log entries into populator and processor',
  open: async (owner, options) => {
    const parts = await startParts(owner, options);
    let cases = 0;
    return {
      tryOne: async random => {
        for (let left = random.integer(1, 4); left > 0; left -= 1) await parts.publish(message(random));
        await parts.write(pick(random, KEYS), value(random));
        for (const part of parts.watched) await part.check();
        cases += 1;
        if (cases % GOOD_EVERY === 0) await parts.goodObject(`good-${cases}`);
      },
    };
  },
};

async function startParts(owner: Owner, options: FuzzOptions) {
  const DATA_DIR = await temporaryFolder(owner);
  const env: Record<string, string> = {
    DATA_DIR,
    LOG_LEVEL: 'error',
    DATA_WORKERS: '1',
    PROCESSOR_MAX_ATTEMPTS: '2',
    PROCESSOR_CONCURRENCY: '4',
  };
  const watched: WatchedDaemon[] = [];
  const start = async (entry: string, args: readonly string[], names: readonly string[]): Promise<void> => {
    const probe = async (ports: Readonly<Record<string, number>>): Promise<void> => {
      const port = Object.entries(ports).find(([name]) => name.includes('PROBE'))?.[1] ?? 0;
      const { status } = await ask(`http://127.0.0.1:${port}/_/live`);
      if (status !== 200) throw new Finding(`/_/live answers ${status}`);
    };
    const free = Object.fromEntries(names.map(name => [name, '0']));
    const part = await WatchedDaemon.start(
      owner,
      { entry, args, env: { ...env, ...free }, maxMemoryBytes: MAX_MEMORY_BYTES, probe },
      options,
    );
    watched.push(part);
    for (const [name, port] of Object.entries(part.ports)) {
      if (!name.includes('PROBE')) env[name] = String(port);
    }
  };
  await start('data-module/dist/main.js', [], ['DATA_PORT', 'DATA_PROBE_PORT']);
  await start('metadata-module/dist/main.js', [], ['METADATA_PORT', 'METADATA_PROBE_PORT']);
  await start('s3-front/dist/main.js', [], ['S3_PORT', 'S3_PROBE_PORT']);
  await start('extensions/dist/commands/populator-main.js', [], ['POPULATOR_PROBE_PORT']);
  await start('extensions/dist/commands/processor-main.js', ['helloWorld'], ['PROCESSOR_PROBE_PORT']);

  const queue = new EmbeddedQueue({
    folder: path.join(DATA_DIR, 'extensions', 'queue'),
    segmentBytes: 1_000_000,
    log: silentLogger(),
  });
  owner.after(() => queue.close());
  const url = `http://127.0.0.1:${env.METADATA_PORT ?? ''}`;
  const rpc = new RpcClient({ url, namespace: METADATA_NAMESPACE });
  owner.after(() => rpc.close());
  const s3 = `http://127.0.0.1:${env.S3_PORT ?? ''}`;
  await sendSigned(s3, { method: 'PUT', path: `/${BUCKET}` });
  return {
    watched,
    publish: (text: string) => queue.publish(TOPIC, [{ key: `${BUCKET}/k`, value: text }]),
    write: async (key: string, text: string) => {
      // What is refused at the door is no entry.
      await rpc.call('put', { rpcArgs: [key, text, {}], subLevel: [BUCKET] }).catch(() => undefined);
    },
    goodObject: async (bucket: string) => {
      const object = `/${bucket}/helloworld`;
      for (const [path, body] of [
        [`/${bucket}`, ''],
        [object, 'x'],
      ] as const) {
        const { status } = await sendSigned(s3, { method: 'PUT', path, body });
        if (status !== 200) throw new Finding(`PUT of ${path} is answered with ${status}`);
      }
      for (const end = Date.now() + TAG_DEADLINE_MS; Date.now() < end;) {
        const { body } = await sendSigned(s3, { path: object, query: { tagging: '' } });
        if (body.includes('<Value>world</Value>')) return;
        await new Promise(resolve => setTimeout(resolve, 50));
      }
      throw new Finding(`${object} gets no tag`, watched.map(part => part.output()).join('\n'));
    },
  };
}

const KEYS = ['helloworld', 'a/HelloWorld', 'helloworld\u0000', '\u0000helloworld', 'helloworld'];

const ENTRY = JSON.stringify({
  type: 'put',
  bucket: BUCKET,
  key: 'helloworld',
  value: JSON.stringify({
    'owner-id': 'x',
    'content-length': 1,
    'last-modified': '2020-01-01T00:00:00.000Z',
    tags: {},
  }),
  timestamp: '2020-01-01T00:00:00.000Z',
});

const ODD_TEXTS = [
  '',
  'null',
  '[]',
  '0',
  '"text"',
  '{}',
  '{"bucket":1,"key":[],"value":{}}',
  `{"type":"put","bucket":"${BUCKET}","key":"helloworld","value":"{"}`,
  `{"type":"put","bucket":"../..","key":"helloworld","value":"{}"}`,
  `{"type":"put","bucket":"${BUCKET}","key":"","value":"{\\"tags\\":[]}"}`,
  `{"type":"put","bucket":"${BUCKET}","key":"helloworld","value":"{\\"versionId\\":{}}"}`,
  `{"type":"put","bucket":"${BUCKET}","key":"\\ud800","value":"{}"}`,
  '{"__proto__":{"bucket":"x"},"constructor":1}',
  '['.repeat(5000),
  'x'.repeat(100_000),
];

function message(random: Random): string {
  if (chance(random, 40)) return pick(random, ODD_TEXTS);
  return mutate(random, Buffer.from(ENTRY)).toString('utf8');
}

const VALUES = [
  '{}',
  '[]',
  'null',
  '{"tags":null}',
  '{"tags":{"hello":["world"]}}',
  '{"tags":"hello=world","content-length":"many"}',
  '{"last-modified":{},"versionId":5,"isDeleteMarker":"yes"}',
  '{"md-model-version":"x","location":[null,{"key":1}]}',
  '{"__proto__":{"tags":{"hello":"world"}}}',
];

function value(random: Random): string {
  const text = pick(random, VALUES);
  return chance(random, 40) ? mutate(random, Buffer.from(text), 2).toString('utf8') : text;
}
