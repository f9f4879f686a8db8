/** The one broker of a test file: of its own where one can be started, else that of KAFKA_TEST_HOSTS. */
import { after } from 'node:test';
import { canStartKafka, type KafkaBroker, KAFKA_TEST_HOSTS, startKafka } from './kafka-broker.js';

let shared: Promise<KafkaBroker> | undefined;
const cleanUps: (() => Promise<void>)[] = [];
// Called here, while the file is loaded, it runs after the file's last test.
after(async () => {
  for (const cleanUp of cleanUps.reverse()) await cleanUp();
});

/** Started by the first test that asks for it; it ends with the file. */
export function sharedKafka(): Promise<KafkaBroker> {
  if (!canStartKafka && KAFKA_TEST_HOSTS !== undefined) {
    const cannot = (): Promise<void> =>
      Promise.reject(new Error('the broker of KAFKA_TEST_HOSTS is not ours'));
    return Promise.resolve({ hosts: KAFKA_TEST_HOSTS, stop: cannot, start: cannot });
  }
  return (shared ??= startKafka({ after: cleanUp => void cleanUps.push(cleanUp) }));
}
