/** Every metric of populator and processors. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const SECONDS = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000];

export type PopulatorMetrics = ReturnType<typeof createPopulatorMetrics>;
export type ProcessorMetrics = ReturnType<typeof createProcessorMetrics>;

/** What gauges read when they are asked. */
export interface PopulatorState {
  readonly nextSeq: number;
  /** By extension, in seconds. */
  readonly behind: readonly (readonly [string, number])[];
}

export function createPopulatorMetrics(registry: Registry) {
  const registers = [registry];
  let current: (() => PopulatorState) | undefined;
  new Gauge({
    name: 'populator_next_record',
    help: 'Sequence number of the first record that is not done yet, for the extension that is furthest behind',
    registers,
    collect() {
      if (current) this.set(current().nextSeq);
    },
  });
  new Gauge({
    name: 'populator_behind_seconds',
    help: 'Age of the newest record that is done, while there are more; 0 when all that is known of is published',
    labelNames: ['extension'] as const,
    registers,
    collect() {
      for (const [extension, seconds] of current?.().behind ?? []) this.set({ extension }, seconds);
    },
  });
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
      help: 'Entries that were passed over, by reason: record (unreadable), size (message too large, what tells of it is parked)',
      labelNames: ['reason', 'extension'] as const,
      registers,
    }),
    filterFailures: new Counter({
      name: 'populator_filter_failures_total',
      help: 'Attempts of filters that failed',
      labelNames: ['extension'] as const,
      registers,
    }),
    parked: new Counter({
      name: 'populator_parked_total',
      help: 'Entries whose filter kept failing: they are in the failed topic',
      labelNames: ['extension', 'topic'] as const,
      registers,
    }),
    missing: new Counter({
      name: 'populator_missing_records_total',
      help: 'Numbers that are missing in the record log',
      registers,
    }),
    resets: new Counter({
      name: 'populator_log_resets_total',
      help: 'Times that the log was not the one read before, by what was found: other, pruned',
      labelNames: ['reason'] as const,
      registers,
    }),
    /** Has the gauges read `state` when they are asked. */
    observe: (state: () => PopulatorState): void => {
      current = state;
    },
    /** What the gauges read; `undefined` before there is something. */
    state: (): PopulatorState | undefined => current?.(),
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
