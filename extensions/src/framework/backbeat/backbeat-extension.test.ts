import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@zenko-modules/common/deadline';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { eventually } from '../../testing/eventually.js';
import { kafkaMissing } from '../../testing/kafka-broker.js';
import { metric, readiness } from '../../testing/probe.js';
import { sharedKafka } from '../../testing/shared-kafka.js';
import {
  createBucket,
  putObject,
  startPopulator,
  startProcessor,
  startStack,
  tagsOf,
} from '../../testing/stack.js';

const FIXTURE = fileURLToPath(new URL('../../../fixtures/helloTutorial', import.meta.url));

async function tagsAsTheTutorialSays(t: TestContext, queueEnv: Record<string, string> = {}): Promise<void> {
  const data = await temporaryFolder(t);
  const { s3, metadata, s3Port, killFront, startFront } = await startStack(t, data);
  await createBucket(s3, 'photos');
  const env = {
    EXTENSIONS_PATH: FIXTURE,
    BACKBEAT_CONFIG: JSON.stringify({
      extensions: {
        helloTutorial: {
          topic: `backbeat-hello-tutorial-${randomUUID()}`,
          auth: { type: 'service', account: 'service-hello-world' },
          s3: { host: '127.0.0.1' },
        },
      },
    }),
    EXTENSIONS_HELLOTUTORIAL_S3_PORT: String(s3Port),
    PROCESSOR_RETRY_MIN_MS: '20',
    PROCESSOR_RETRY_MAX_MS: '200',
    ...queueEnv,
  };
  const populator = await startPopulator(t, data, metadata.port, env);
  let processor = await startProcessor(t, data, 'helloTutorial', env);
  const port = (): number | undefined => processor.ports.PROCESSOR_PROBE_PORT;
  const isTagged = (bucketKey: string) => async (): Promise<boolean> =>
    (await tagsOf(s3, 'photos', bucketKey)).hello === 'world';

  await putObject(s3, 'photos', 'other');
  await putObject(s3, 'photos', 'HelloWorld');
  await eventually(isTagged('HelloWorld'), 'it is tagged');
  assert.deepEqual(await tagsOf(s3, 'photos', 'other'), {});
  await eventually(
    async () => (await metric(port(), 'processor_messages_total', 'processed')) === 1,
    'it is counted',
  );
  assert.equal(await metric(populator.ports.POPULATOR_PROBE_PORT, 'populator_published_total'), 1);

  // What fails is tried again until S3 is back, as with any other processor.
  await processor.kill();
  await putObject(s3, 'photos', 'HELLOWORLD');
  await killFront('SIGKILL');
  processor = await startProcessor(t, data, 'helloTutorial', env);
  await eventually(
    async () => (await metric(port(), 'processor_failed_attempts_total')) > 2,
    'it has tried more than once',
  );
  await startFront();
  await eventually(isTagged('HELLOWORLD'), 'it is tagged too');
  await eventually(async () => (await readiness(port())).status === 200, 'it is ready again');

  // Its group remembers what is done, and its stop() is waited for.
  assert.deepEqual(await processor.kill(), { code: 0, signal: null });
  processor = await startProcessor(t, data, 'helloTutorial', env);
  await sleep(500);
  assert.equal(await metric(port(), 'processor_messages_total'), 0);
}

test("an extension as Backbeat's tutorial writes it, with a processor that has start(), tags", t =>
  tagsAsTheTutorialSays(t));

test('the same over Kafka', { skip: kafkaMissing }, async t => {
  const { hosts } = await sharedKafka();
  await tagsAsTheTutorialSays(t, { KAFKA_HOSTS: hosts });
});
