/** For the tests of extensions: loads one as populator and processor do. */
import { silentLogger } from '@zenko-modules/common/logger';
import { readConfiguration } from '../framework/config/backbeat-config.js';
import {
  type LogEntry,
  logEntry,
  type Publication,
  runFilter,
} from '../framework/contract/queue-populator-extension.js';
import { readSettings } from '@zenko-modules/common/settings';
import { QUEUE_SETTINGS, CONFIG_SETTINGS } from '../framework/extension-settings.js';
import { activate, loadExtension } from '../framework/loader/load-extensions.js';
import { callProcessor } from '../framework/processor/attempt.js';
import { isBackbeatProcessor } from '../framework/processor/backbeat-processor.js';
import { createPublish } from '../framework/processor/publish.js';
import { checkTopicName } from '../framework/queue/queue.js';
import { s3OfExtension } from '../framework/s3/s3-of-extension.js';

export interface TestedExtension {
  /** The section as the validator returned it. */
  readonly config: unknown;
  /** What the filter publishes for an entry; rejects with what it throws. */
  readonly filter: (entry: Omit<LogEntry, 'timestamp'>) => Promise<readonly Publication[]>;
  /**
   * Has the processor do the work of a message with this value; resolves with what it published, and rejects
   * as it does. Its S3 client finds S3 where `S3_PORT` and the section say.
   */
  readonly process: (value: string, key?: string) => Promise<readonly Publication[]>;
}

/** @throws StartError when the extension cannot be loaded, or refuses `section`. */
export async function testExtension(
  file: string,
  section: Record<string, unknown>,
): Promise<TestedExtension> {
  const extension = await loadExtension(file);
  const raw = { extensions: { [extension.name]: section } };
  const { S3_HOST, S3_PORT } = process.env;
  const env = { BACKBEAT_CONFIG: JSON.stringify(raw), S3_HOST, S3_PORT };
  const settings = readSettings({ ...CONFIG_SETTINGS, ...QUEUE_SETTINGS }, env);
  const { config: backbeatConfig } = readConfiguration(settings, env, [extension]);
  const loaded = activate(extension, section, backbeatConfig, 'test');
  const { config } = loaded;
  const Filter = extension.queuePopulatorExtension;
  const filter = Filter && new Filter({ config: config as never, logger: silentLogger() });
  const work = async (value: string, key: string): Promise<readonly Publication[]> => {
    const Processor = extension.queueProcessor;
    if (!Processor) throw new Error(`extension "${extension.name}" has no queueProcessor`);
    if (isBackbeatProcessor(Processor)) {
      throw new Error(
        `the queueProcessor of "${extension.name}" has start(): only the processor command runs it`,
      );
    }
    const published: Publication[] = [];
    const s3 = s3OfExtension(settings, backbeatConfig, loaded.section);
    const processor = new Processor({
      config: config as never,
      backbeatConfig,
      logger: silentLogger(),
      createS3Client: s3.createClient,
      publish: createPublish({
        publish: (topic, messages) => {
          checkTopicName(topic);
          published.push(...messages.map(message => ({ topic, key: message.key, value: message.value })));
          return Promise.resolve();
        },
      }),
    });
    const message = { topic: loaded.section.topic ?? '', partition: 0, offset: '0', key, value, headers: {} };
    try {
      await callProcessor(processor, { ...message, timestamp: Date.now() }, new AbortController().signal);
      return published;
    } finally {
      await processor.close?.();
      s3.destroy();
    }
  };
  return {
    config,
    filter: async entry =>
      filter
        ? runFilter(
            filter,
            logEntry(entry.type, entry.bucket, entry.key, entry.value, new Date().toISOString()),
          )
        : [],
    process: (value, key = '') => work(value, key),
  };
}
