/** Apache Kafka: a broker of one's own, where one can be started. */
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {
  findInPath,
  findInShared,
  freePort,
  skipReason,
  startTestServer,
  type TestServer,
} from '@zenko-modules/common/testing/test-server';

const PROGRAM = findInPath('java') === undefined ? undefined : findInShared('kafka/start');
/** Whether `startKafka` can. */
export const canStartKafka = PROGRAM !== undefined;
/** A broker that somebody else runs. */
export const KAFKA_TEST_HOSTS = process.env.KAFKA_TEST_HOSTS;
const REASON = 'needs ../shared/bin/kafka/start and Java 17, or KAFKA_TEST_HOSTS';

/** Why tests that need Kafka cannot run here, as node:test's `skip` takes it; `false` when they can, or must. */
export const kafkaMissing: string | false = skipReason(
  canStartKafka || KAFKA_TEST_HOSTS !== undefined,
  REASON,
);

/** Why tests that stop and start the broker cannot run here. */
export const ownKafkaMissing: string | false = skipReason(
  canStartKafka,
  'needs ../shared/bin/kafka/start and Java 17',
);

/** The folder of Kafka's jars, for brokers of another configuration. */
export function kafkaJars(): string {
  return path.join(path.dirname(PROGRAM ?? ''), 'lib');
}

export interface KafkaBroker {
  /** `host:port`, as KAFKA_HOSTS takes it. */
  readonly hosts: string;
  /** Ends a broker of our own. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
  /** Starts it again, on the same port and data. */
  readonly start: () => Promise<void>;
}

/** Whoever ends what is started, last started first. */
export interface KafkaOwner {
  readonly after: (cleanUp: () => Promise<void>) => void;
}

/** A broker of the owner's own. */
export async function startKafka(owner: KafkaOwner): Promise<KafkaBroker> {
  if (PROGRAM === undefined) throw new Error(REASON);
  const program = PROGRAM;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'zenko-kafka-'));
  owner.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const [port, controllerPort] = [await freePort(), await freePort()];
  let server: TestServer;
  const start = async (): Promise<void> => {
    const args = [folder, String(port), String(controllerPort)];
    server = await startTestServer(owner, { program, args, port });
  };
  await start();
  return { hosts: `127.0.0.1:${port}`, start, stop: signal => server.stop(signal) };
}
