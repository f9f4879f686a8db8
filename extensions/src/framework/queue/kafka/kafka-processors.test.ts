import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { RpcStream } from '@zenko-modules/rpc/client';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { kafkaMissing } from '../../../testing/kafka-broker.js';
import { sharedKafka, SOON_DEAD } from '../../../testing/shared-kafka.js';
import {
  createBucket,
  type MetadataProcess,
  putEntry,
  startPopulator,
  startProcessor,
  startStack,
} from '../../../testing/stack.js';

const BUCKETS = 2;
const SPELLINGS = 1000;
/** Each object is written so often, which makes 10,000 events. */
const WRITES = 5;
const EVENTS = BUCKETS * SPELLINGS * WRITES;
const DEADLINE_MS = 500_000;

/** The objects of a bucket, by whether they have the tag. */
async function untagged({ rpc }: MetadataProcess, bucket: string): Promise<number> {
  const stream = await rpc.call('createReadStream', { rpcArgs: [{}], subLevel: [bucket] });
  assert.ok(stream instanceof RpcStream);
  let count = 0;
  for await (const item of stream) {
    const { value } = item as { value: string };
    const { tags } = JSON.parse(value) as { tags: Record<string, string> };
    if (tags.hello !== 'world') count++;
    assert.equal(tags.own, 'tag');
  }
  return count;
}

test(
  '10,000 events and two processors that are killed at random: every object is tagged',
  { skip: kafkaMissing, timeout: 600_000 },
  async t => {
    const random = seededRandom(t);
    const { hosts } = await sharedKafka();
    const data = await temporaryFolder(t);
    const { s3, s3Port, metadata } = await startStack(t, data);
    const buckets = Array.from({ length: BUCKETS }, (_, i) => `bucket-${i}`);
    for (const bucket of buckets) await createBucket(s3, bucket);
    const env = {
      KAFKA_HOSTS: hosts,
      ...SOON_DEAD,
      EXTENSIONS_HELLOWORLD_TOPIC: `ten-thousand-${randomUUID()}`,
      S3_PORT: String(s3Port),
      LOG_LEVEL: 'warn',
      PROCESSOR_CONCURRENCY: '20',
    };
    await startPopulator(t, data, metadata.port, env);
    const processors = [
      await startProcessor(t, data, 'helloWorld', env),
      await startProcessor(t, data, 'helloWorld', env),
    ];
    // Spellings of "helloworld", of which there are 1024.
    const spellings = Array.from({ length: SPELLINGS }, (_, number) =>
      Array.from('helloworld', (letter, bit) => ((number >> bit) & 1 ? letter.toUpperCase() : letter)).join(
        '',
      ),
    );
    const started = performance.now();
    let written = 0;
    const writing = (async () => {
      for (let round = 0; round < WRITES; round++) {
        for (const bucket of buckets) {
          await Promise.all(
            spellings.map(async key => {
              await putEntry(metadata, bucket, key, { 'owner-id': 'x', tags: { own: 'tag' } });
              written++;
            }),
          );
        }
      }
    })();
    let kills = 0;
    for (; kills < 4; kills++) {
      await sleep(random.integer(500, 3000));
      const which = random.integer(0, 1);
      await processors[which]?.kill('SIGKILL');
      processors[which] = await startProcessor(t, data, 'helloWorld', env);
    }
    await writing;
    assert.equal(written, EVENTS);
    let left = Infinity;
    while (left > 0) {
      assert.ok(performance.now() - started < DEADLINE_MS, `${left} objects have no tag`);
      await sleep(500);
      left = 0;
      for (const bucket of buckets) left += await untagged(metadata, bucket);
    }
    t.diagnostic(
      `${EVENTS} events done in ${((performance.now() - started) / 1000).toFixed(1)} s, with ${kills} kills`,
    );
  },
);
