/** Every metric of populator and processors. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const SECONDS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000];

export type PopulatorMetrics = ReturnType<typeof createPopulatorMetrics>;
export type ProcessorMetrics = ReturnType<typeof createProcessorMetrics>;

export function createPopulatorMetrics(registry: Registry) {
  const registers = [registry];
  return {
    records: new Counter({
      name: 'populator_records_total',
      help: 'Records of the log that were read and given to the filters',
      registers,
    }),
    published: new Counter({
      name: 'populator_published_total',
      help: 'Messages that were published',
      labelNames: ['extension', 'topic'] as const,
      registers,
    }),
    poisoned: new Counter({
      name: 'populator_poisoned_total',
      help: 'Entries that were passed over, by reason: filter (it failed), record (unreadable), size (message too large)',
      labelNames: ['reason', 'extension'] as const,
      registers,
    }),
    resets: new Counter({
      name: 'populator_log_resets_total',
      help: 'Times that the log was not the one read before, by what was found: other, pruned',
      labelNames: ['reason'] as const,
      registers,
    }),
    offset: new Gauge({
      name: 'populator_next_record',
      help: 'Sequence number of the record that is read next',
      registers,
    }),
    behind: new Gauge({
      name: 'populator_behind_seconds',
      help: 'Age of the newest record that was read, while there are more; 0 at the end of the log',
      registers,
    }),
  };
}

/** What the processor's gauges read when they are asked for. */
export interface ProcessorGauges {
  readonly oldestSeconds: () => number;
  readonly isPaused: () => boolean;
}

const IDLE: ProcessorGauges = { oldestSeconds: () => 0, isPaused: () => false };

/** @param gauges set by whoever makes what they read, after the metrics. */
export function createProcessorMetrics(registry: Registry, gauges: () => ProcessorGauges = () => IDLE) {
  const registers = [registry];
  new Gauge({
    name: 'processor_oldest_message_seconds',
    help: 'Time since the oldest of the messages in flight was taken; 0 without any',
    registers,
    collect() {
      this.set(gauges().oldestSeconds());
    },
  });
  new Gauge({
    name: 'processor_paused',
    help: '1 while the processor is paused',
    registers,
    collect() {
      this.set(gauges().isPaused() ? 1 : 0);
    },
  });
  return {
    published: new Counter({
      name: 'processor_published_total',
      help: 'Messages that the extension published',
      labelNames: ['topic'] as const,
      registers,
    }),
    messages: new Counter({
      name: 'processor_messages_total',
      help: 'Messages that are done, by outcome: processed, gone (the object was deleted meanwhile), parked',
      labelNames: ['outcome'] as const,
      registers,
    }),
    lost: new Counter({
      name: 'processor_lost_messages_total',
      help: 'Messages that Kafka no longer had when their turn came',
      registers,
    }),
    failures: new Counter({
      name: 'processor_failed_attempts_total',
      help: 'Attempts that failed, by kind of failure',
      labelNames: ['kind'] as const,
      registers,
    }),
    inFlight: new Gauge({
      name: 'processor_messages_in_flight',
      help: 'Messages that are being worked on, or wait for their next attempt',
      registers,
    }),
    seconds: new Histogram({
      name: 'processor_attempt_seconds',
      help: 'Time that an attempt took',
      buckets: SECONDS,
      registers,
    }),
    delay: new Histogram({
      name: 'processor_delay_seconds',
      help: 'Time from the publishing of a message until it was done',
      buckets: SECONDS,
      registers,
    }),
  };
}
