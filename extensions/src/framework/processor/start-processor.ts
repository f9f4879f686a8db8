/** The processor of one extension as a process: what it opens, in which order, and how it ends. */
import type { S3Client } from '@aws-sdk/client-s3';
import type { Running } from '@zenko-modules/common/daemon';
import type { Logger } from '@zenko-modules/common/logger';
import { createRegistry, startProbeServer } from '@zenko-modules/common/probe-server';
import type { Environment } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { credentialsOf } from '../config/service-accounts.js';
import type { ProcessorContext, QueueProcessor } from '../contract/extension.js';
import { createProcessorMetrics } from '../extension-metrics.js';
import type { ProcessorSettings } from '../extension-settings.js';
import {
  type ActiveExtension,
  findActive,
  groupOf,
  type LoadedExtensions,
  loadExtensions,
} from '../loader/load-extensions.js';
import { tellConfiguration } from '../loader/tell-configuration.js';
import { openQueue } from '../queue/open-queue.js';
import { createS3Client, endpointOf } from '../s3/s3-client.js';
import { MessageWorker } from './message-worker.js';

/** Part of STOP_GRACE_MS that attempts have to end by themselves. */
const FINISH_MS = 4000;

/** Listens at once; processes when the queue is there. */
export async function startProcessor(
  settings: ProcessorSettings,
  log: Logger,
  name: string | undefined,
  env: Environment = process.env,
): Promise<Running> {
  const extensions = await loadExtensions(settings, env);
  const active = findActive(extensions, name);
  const { extension, section } = active;
  const Processor = extension.queueProcessor;
  if (!Processor || section.topic === undefined) {
    throw new StartError(`extension "${extension.name}" has no queueProcessor`);
  }
  tellConfiguration(extensions, env, log);
  const clients: S3Client[] = [];
  const processor = new Processor(contextOf(extensions, active, settings, log, clients));
  const queue = await openQueue(settings, extensions.kafkaHosts, log);
  const registry = createRegistry();
  const worker = new MessageWorker({
    extension: extension.name,
    processor,
    queue,
    retry: {
      maxAttempts: section.queueProcessor?.maxAttempts ?? settings.PROCESSOR_MAX_ATTEMPTS,
      minPauseMs: settings.PROCESSOR_RETRY_MIN_MS,
      maxPauseMs: Math.max(settings.PROCESSOR_RETRY_MAX_MS, settings.PROCESSOR_RETRY_MIN_MS),
    },
    finishMs: FINISH_MS,
    metrics: createProcessorMetrics(registry),
    log,
  });
  const probes = await startProbeServer({
    address: settings.LISTEN_ADDRESS,
    port: settings.PROCESSOR_PROBE_PORT,
    portSetting: 'PROCESSOR_PROBE_PORT',
    registry,
    ready: async () => {
      await queue.ready();
      if (worker.trouble !== undefined) throw new Error(worker.trouble);
    },
  });
  const consumer = await queue.consume({
    topic: section.topic,
    group: groupOf(active),
    concurrency: section.queueProcessor?.concurrency ?? settings.PROCESSOR_CONCURRENCY,
    handle: (message, signal) => worker.work(message, signal),
  });
  return {
    ports: { PROCESSOR_PROBE_PORT: probes.port },
    close: async () => {
      await consumer.close();
      await closeProcessor(processor, clients);
      await queue.close();
      await probes.close();
    },
  };
}

function contextOf(
  extensions: LoadedExtensions,
  { extension, config, section }: ActiveExtension,
  settings: ProcessorSettings,
  log: Logger,
  clients: S3Client[],
): ProcessorContext<never> {
  const target = {
    endpoint: endpointOf({ port: settings.S3_PORT }, extensions.config.s3, section.s3 ?? {}),
    credentials: credentialsOf(section.auth, extensions.config, settings),
  };
  log.info({ s3: target.endpoint, credentials: target.credentials.source }, 'objects are reached through S3');
  return {
    config: config as never,
    backbeatConfig: extensions.config,
    logger: log.child({ extension: extension.name }),
    createS3Client: overrides => {
      const client = createS3Client(target, overrides);
      clients.push(client);
      return client;
    },
  };
}

async function closeProcessor(processor: QueueProcessor, clients: readonly S3Client[]): Promise<void> {
  await processor.close?.();
  for (const client of clients) client.destroy();
}
