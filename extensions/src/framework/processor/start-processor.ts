/** The processor of one extension as a process: what it opens, in which order, and how it ends. */
import type { Running } from '@zenko-modules/common/daemon';
import { withDeadline } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { createRegistry, startProbeServer } from '@zenko-modules/common/probe-server';
import type { Environment } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import type { QueueProcessor } from '../contract/extension.js';
import { createProcessorMetrics } from '../extension-metrics.js';
import type { ProcessorSettings } from '../extension-settings.js';
import { findActive, groupOf, loadExtensions } from '../loader/load-extensions.js';
import { tellConfiguration } from '../loader/tell-configuration.js';
import { createBacklogMetrics, createBacklogs, createLagMetric } from '../queue/backlog-metrics.js';
import { openQueue } from '../queue/open-queue.js';
import { type Consumer, failedTopicOf } from '../queue/queue.js';
import { s3OfExtension } from '../s3/s3-of-extension.js';
import { type AttemptLimits, settleMs } from './attempt.js';
import { MessageWorker } from './message-worker.js';
import { createPublish } from './publish.js';
import { redriveGroupOf } from './redrive.js';

/** Parts of STOP_GRACE_MS after which attempts are told to end, and after which they are waited for no longer. */
const TELL_AFTER = 0.5;
const GIVE_UP_AFTER = 0.9;

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
  const queue = await openQueue(settings, extensions.kafkaHosts, log);
  const registry = createRegistry();
  const group = groupOf(active);
  const gate = { isPaused: false };
  const metrics = createProcessorMetrics(registry, () => ({
    oldestSeconds: () => worker.underWay.oldestSeconds,
    isPaused: () => gate.isPaused,
  }));
  const s3 = s3OfExtension(settings, extensions.config, section);
  log.info({ s3: s3.endpoint, credentials: s3.credentialsSource }, 'objects are reached through S3');
  const processor = new Processor({
    config: active.config as never,
    backbeatConfig: extensions.config,
    logger: log.child({ extension: extension.name }),
    createS3Client: s3.createClient,
    publish: createPublish(queue, metrics),
  });
  const limits = limitsOf(processor, settings);
  const worker = new MessageWorker({
    extension: extension.name,
    processor,
    queue,
    retry: {
      maxAttempts: section.queueProcessor?.maxAttempts ?? settings.PROCESSOR_MAX_ATTEMPTS,
      minPauseMs: settings.PROCESSOR_RETRY_MIN_MS,
      maxPauseMs: Math.max(settings.PROCESSOR_RETRY_MAX_MS, settings.PROCESSOR_RETRY_MIN_MS),
    },
    limits,
    askS3: s3.ask,
    metrics,
    log,
  });
  const own = { topic: section.topic, group };
  const parked = { topic: failedTopicOf(section.topic), group: redriveGroupOf(group) };
  const backlogs = createBacklogs(queue, log);
  createBacklogMetrics(registry, backlogs, [own, parked]);
  createLagMetric(registry, backlogs, own);
  const pause = (paused: boolean): void => {
    gate.isPaused = paused;
    if (paused) consumer.pause();
    else consumer.resume();
    log.info(paused ? 'paused: no other message is taken' : 'resumed');
  };
  const consumer = await queue.consume({
    topic: section.topic,
    group,
    concurrency: section.queueProcessor?.concurrency ?? settings.PROCESSOR_CONCURRENCY,
    handle: (message, signal) => worker.work(message, signal),
    onLost: count => metrics.lost.inc(count),
    settleMs: settleMs(limits),
  });
  const probes = await startProbeServer({
    address: settings.LISTEN_ADDRESS,
    port: settings.PROCESSOR_PROBE_PORT,
    portSetting: 'PROCESSOR_PROBE_PORT',
    registry,
    ready: async () => {
      await queue.ready();
      const { trouble } = worker.underWay;
      if (trouble !== undefined) throw new Error(trouble);
    },
    commands: { '/_/pause': () => pause(true), '/_/resume': () => pause(false) },
  });
  return {
    ports: { PROCESSOR_PROBE_PORT: probes.port },
    close: async () => {
      await closeConsumer(consumer, worker, settings.STOP_GRACE_MS);
      await processor.close?.();
      s3.destroy();
      await queue.close();
      await probes.close();
    },
  };
}

/** Resolves when no message is being worked on any more. Rejects with those that are, shortly before the process has to end. */
async function closeConsumer(consumer: Consumer, worker: MessageWorker, graceMs: number): Promise<void> {
  const closing = consumer.close();
  try {
    await withDeadline(closing, graceMs * GIVE_UP_AFTER, 'closing the consumer');
  } catch (err) {
    const left = worker.underWay.list();
    if (left.length === 0) throw err;
    const names = left.map(({ key, seconds }) => `${key} (${seconds} s)`).join(', ');
    throw new Error(`the time is over, and these messages are still being worked on: ${names}`, {
      cause: err,
    });
  }
}

function limitsOf(processor: QueueProcessor, settings: ProcessorSettings): AttemptLimits {
  return {
    timeoutMs: Math.max(settings.PROCESSOR_ATTEMPT_TIMEOUT_MS, processor.attemptTimeoutMs ?? 0),
    finishMs: settings.STOP_GRACE_MS * TELL_AFTER,
  };
}
