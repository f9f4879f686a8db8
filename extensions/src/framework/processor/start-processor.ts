/** The processor of one extension as a process: what it opens, in which order, and how it ends. */
import type { Running } from '@zenko-modules/common/daemon';
import type { Logger } from '@zenko-modules/common/logger';
import { createRegistry, startProbeServer } from '@zenko-modules/common/probe-server';
import type { Environment } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { LastHandled } from '@zenko-modules/common/status/handled';
import type { Extension } from '../contract/extension.js';
import type { BackbeatHost } from '../backbeat/host.js';
import { authSection, check } from '../config/backbeat-config.js';
import { serviceAuthOf } from '../config/service-accounts.js';
import type { QueueProcessor } from '../contract/extension.js';
import { createProcessorMetrics } from '../extension-metrics.js';
import type { ProcessorSettings } from '../extension-settings.js';
import { PROCESSOR_CHARTS, processorTables } from '../extension-status.js';
import { findActive, groupOf, loadExtensions } from '../loader/load-extensions.js';
import { tellConfiguration } from '../loader/tell-configuration.js';
import {
  createBacklogMetrics,
  createBacklogs,
  createLagMetric,
  type TopicGroup,
} from '../queue/backlog-metrics.js';
import { openQueue, queuePlace } from '../queue/open-queue.js';
import { failedTopicOf } from '../queue/queue.js';
import { s3OfExtension } from '../s3/s3-of-extension.js';
import type { AttemptLimits } from './attempt.js';
import { isBackbeatProcessor, startBackbeatProcessor, stopBackbeatProcessor } from './backbeat-processor.js';
import { Consumers } from './consumers.js';
import { createPublish } from './publish.js';
import { redriveGroupOf } from './redrive.js';

/** Part of STOP_GRACE_MS after which attempts are told to end. */
const TELL_AFTER = 0.5;

/** Listens at once; processes when the queue is there. @param bundled extensions that we ship */
export async function startProcessor(
  settings: ProcessorSettings,
  log: Logger,
  name: string | undefined,
  bundled: readonly Extension[],
  env: Environment = process.env,
): Promise<Running> {
  const extensions = await loadExtensions(settings, env, bundled);
  const active = findActive(extensions, name);
  const { extension, section } = active;
  const Processor = extension.queueProcessor;
  if (!Processor || section.topic === undefined) {
    throw new StartError(`extension "${extension.name}" has no queueProcessor`);
  }
  tellConfiguration(extensions, env, log);
  const queue = await openQueue(settings, extensions.kafkaHosts, log);
  const registry = createRegistry();
  const group = groupOf(active);
  const metrics = createProcessorMetrics(registry, () => ({
    oldestSeconds: () => consumers.oldestSeconds,
    isPaused: () => consumers.isPaused,
  }));
  const s3 = s3OfExtension(settings, extensions.config, section);
  log.info({ s3: s3.endpoint, credentials: s3.credentialsSource }, 'objects are reached through S3');
  const handled = new LastHandled();
  const consumers = new Consumers({
    extension: extension.name,
    queue,
    retry: {
      maxAttempts: section.queueProcessor?.maxAttempts ?? settings.PROCESSOR_MAX_ATTEMPTS,
      minPauseMs: settings.PROCESSOR_RETRY_MIN_MS,
      maxPauseMs: Math.max(settings.PROCESSOR_RETRY_MAX_MS, settings.PROCESSOR_RETRY_MIN_MS),
    },
    limitsOf: processor => limitsOf(processor, settings),
    askS3: s3.ask,
    handled,
    metrics,
    log,
  });
  const own = { topic: section.topic, group };
  const readings = (): TopicGroup[] => consumers.readings.map(({ topic, group }) => ({ topic, group }));
  // What is parked, and waits to be driven again.
  const parked = ({ topic }: TopicGroup): TopicGroup => ({
    topic: failedTopicOf(topic),
    group: redriveGroupOf(group),
  });
  const backlogs = createBacklogs(queue, log);
  const waiting = (): TopicGroup[] => readings().flatMap(of => [of, parked(of)]);
  createBacklogMetrics(registry, backlogs, waiting);
  createLagMetric(registry, backlogs, readings);
  const pause = (paused: boolean): void => {
    consumers.pause(paused);
    log.info(paused ? 'paused: no other message is taken' : 'resumed');
  };
  const concurrency = section.queueProcessor?.concurrency ?? settings.PROCESSOR_CONCURRENCY;
  let end: () => Promise<void>;
  if (isBackbeatProcessor(Processor)) {
    const host: BackbeatHost = {
      consume: (wanted, processor) =>
        consumers.add({ ...wanted, concurrency: wanted.concurrency ?? concurrency }, processor),
      publish: (topic, messages) => queue.publish(topic, messages),
      partitions: async topic => (await queue.progress(topic, group)).map(({ partition }) => partition),
      credentials: auth => s3.keysOf(check('authConfig', authSection.optional(), auth)),
    };
    const parameters = [
      extensions.config.kafka,
      active.config,
      serviceAuthOf(section.auth, extensions.config),
      s3.place,
    ] as const;
    const processor = await startBackbeatProcessor(extension.name, Processor, [...parameters], host, err =>
      log.error({ err }, 'the processor says that it cannot work'),
    );
    end = () => stopBackbeatProcessor(processor);
  } else {
    const processor = new Processor({
      config: active.config as never,
      backbeatConfig: extensions.config,
      logger: log.child({ extension: extension.name }),
      createS3Client: s3.createClient,
      publish: createPublish(queue, metrics),
    });
    await consumers.add({ ...own, concurrency }, processor);
    end = async () => processor.close?.();
  }
  const probes = await startProbeServer({
    address: settings.LISTEN_ADDRESS,
    port: settings.PROCESSOR_PROBE_PORT,
    portSetting: 'PROCESSOR_PROBE_PORT',
    registry,
    ready: async () => {
      await queue.ready();
      const { trouble } = consumers;
      if (trouble !== undefined) throw new Error(trouble);
    },
    details: () => (consumers.isPaused ? { paused: 'paused' } : {}),
    status: {
      part: `processor ${extension.name}`,
      charts: PROCESSOR_CHARTS,
      peers: settings.STATUS_PARTS,
      tables: async () =>
        processorTables(
          handled,
          await Promise.all(waiting().map(async of => ({ of, messages: await backlogs(of) }))),
        ),
    },
    commands: { '/_/pause': () => pause(true), '/_/resume': () => pause(false) },
  });
  return {
    ports: { PROCESSOR_PROBE_PORT: probes.port },
    uses: {
      extension: extension.name,
      ...own,
      queue: queuePlace(settings, extensions.kafkaHosts),
      s3: s3.endpoint,
      concurrency,
      maxAttempts: section.queueProcessor?.maxAttempts ?? settings.PROCESSOR_MAX_ATTEMPTS,
      attemptTimeoutMs: settings.PROCESSOR_ATTEMPT_TIMEOUT_MS,
    },
    close: async () => {
      await consumers.close(settings.STOP_GRACE_MS);
      await end();
      s3.destroy();
      await queue.close();
      await probes.close();
    },
  };
}

function limitsOf(processor: QueueProcessor, settings: ProcessorSettings): AttemptLimits {
  return {
    timeoutMs: Math.max(settings.PROCESSOR_ATTEMPT_TIMEOUT_MS, processor.attemptTimeoutMs ?? 0),
    finishMs: settings.STOP_GRACE_MS * TELL_AFTER,
  };
}
