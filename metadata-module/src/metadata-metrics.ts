/** Every metric of the metadata module. */
import type { RpcObserver } from '@zenko-modules/rpc/connection';
import { createRefusalCounter } from '@zenko-modules/common/network/refusal-metrics';
import { createRegistry } from '@zenko-modules/common/probe-server';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ReaderPlace } from './record-log/log-readers.js';
import type { CommitObserver } from './store/commit-queue.js';

/** What gauges read when they are asked. */
export interface MetadataState {
  readonly openStreams: number;
  readonly openIterators: number;
  readonly entriesRead: number;
  readonly firstRecord: number;
  readonly lastRecord: number;
  readonly losses: number;
  readonly readers: readonly ReaderPlace[];
}

export interface MetadataMetrics extends RpcObserver {
  readonly registry: Registry;
  readonly batchWritten: CommitObserver;
  readonly refusedConnections: ReturnType<typeof createRefusalCounter>;
}

const SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];

export function createMetrics(state: () => MetadataState | undefined): MetadataMetrics {
  const registry = createRegistry();
  const registers = [registry];
  // Looked up, and counted, by names that are there: by its labels it takes longer than a call does elsewhere.
  const answered = new Map<string, Map<string, CallMetrics>>();
  new Counter({
    name: 'metadata_calls_total',
    help: 'Calls that were answered, by outcome: ok or the type of the error',
    labelNames: ['namespace', 'call', 'outcome'],
    registers,
    collect() {
      this.reset();
      for (const [namespace, ofNamespace] of answered) {
        for (const [call, { counts }] of ofNamespace) {
          for (const [outcome, count] of counts) this.inc({ namespace, call, outcome }, count);
        }
      }
    },
  });
  const callSeconds = new Histogram({
    name: 'metadata_call_seconds',
    help: 'Time from a call to its answer',
    labelNames: ['namespace', 'call'],
    buckets: SECONDS,
    registers,
  });
  const cutOff = new Counter({
    name: 'metadata_clients_cut_off_total',
    help: 'Clients that were cut off, by reason: unfinished messages or unread answers that take too much memory',
    labelNames: ['reason'],
    registers,
  });
  const batchSeconds = new Histogram({
    name: 'metadata_batch_seconds',
    help: 'Time that a synced batch takes in the LevelDOWN',
    buckets: SECONDS,
    registers,
  });
  const batchCommits = new Histogram({
    name: 'metadata_batch_commits',
    help: 'Commits that share one synced batch',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 1000],
    registers,
  });
  const gauge = (name: string, help: string, read: (state: MetadataState) => number): void => {
    const collect = function (this: Gauge): void {
      const current = state();
      if (current) this.set(read(current));
      else this.reset();
    };
    registry.registerMetric(new Gauge({ name, help, registers: [], collect }));
  };
  gauge('metadata_open_streams', 'Streams that clients have open', now => now.openStreams);
  gauge('metadata_open_iterators', 'Iterators that are open on the LevelDOWN', now => now.openIterators);
  gauge('metadata_record_log_first', 'Oldest record that the record log keeps', now => now.firstRecord);
  gauge('metadata_record_log_last', 'Newest record of the record log', now => now.lastRecord);
  gauge(
    'metadata_losses',
    'Damaged places and missing records that the start found and METADATA_ACCEPT_LOSS let pass',
    now => now.losses,
  );
  registry.registerMetric(
    new Gauge({
      name: 'metadata_record_log_reader_lag',
      help: 'Records that a registered reader of the record log has not read',
      labelNames: ['reader'],
      registers: [],
      collect() {
        this.reset();
        for (const { reader, lag } of state()?.readers ?? []) this.set({ reader }, lag);
      },
    }),
  );
  registry.registerMetric(
    new Counter({
      name: 'metadata_entries_read_total',
      help: 'Entries that iterators have read from the LevelDOWN',
      registers: [],
      collect() {
        this.reset();
        this.inc(state()?.entriesRead ?? 0);
      },
    }),
  );
  return {
    registry,
    refusedConnections: createRefusalCounter('metadata', registry),
    callAnswered: (namespace, call, outcome, seconds) => {
      const ofNamespace = once(answered, namespace, () => new Map<string, CallMetrics>());
      const { counts, durations } = once(ofNamespace, call, () => ({
        counts: new Map<string, number>(),
        durations: callSeconds.labels({ namespace, call }),
      }));
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      durations.observe(seconds);
    },
    clientCutOff: reason => cutOff.inc({ reason }),
    batchWritten: (commits, seconds) => {
      batchCommits.observe(commits);
      batchSeconds.observe(seconds);
    },
  };
}

interface CallMetrics {
  /** By outcome. */
  readonly counts: Map<string, number>;
  readonly durations: Histogram.Internal<string>;
}

function once<T>(known: Map<string, T>, key: string, make: () => T): T {
  let value = known.get(key);
  if (value === undefined) known.set(key, (value = make()));
  return value;
}
