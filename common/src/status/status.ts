/** What a part shows of itself at `/_/status`: its samples, taken while it runs, and the page made of them. */
import { withDeadline } from '../deadline.js';
import { messageOf } from '../errors.js';
import { type ChartSpec, History, SAMPLE_EVERY_MS } from './history.js';
import { page, type StatusTable } from './page.js';
import { type Health, healthOf, type Peer } from './peers.js';
import type { MetricsAsJson } from './reading.js';
import { withoutUser } from '../without-user.js';

const SAMPLE_DEADLINE_MS = 5000;
const TABLES_DEADLINE_MS = 3000;

export interface StatusOptions {
  /** As its log lines name it. */
  readonly part: string;
  readonly charts: readonly ChartSpec[];
  /** What the page shows below its charts. Nothing secret: whoever reaches the probe port reads it. */
  readonly tables?: () => readonly StatusTable[] | Promise<readonly StatusTable[]>;
  /** Parts whose health is shown, too. */
  readonly peers?: readonly Peer[] | undefined;
}

export interface StatusSources {
  readonly metrics: () => Promise<MetricsAsJson>;
  readonly health: () => Promise<Health>;
}

/** Charts that every part has. */
const PROCESS_CHARTS: readonly ChartSpec[] = [
  {
    title: 'Processor time and event loop',
    unit: 'seconds',
    series: [
      { name: 'processor time a second', reading: { kind: 'rate', metric: 'process_cpu_seconds_total' } },
      {
        name: 'event loop delay, 99 %',
        reading: { kind: 'max', metric: 'nodejs_eventloop_lag_p99_seconds' },
      },
    ],
  },
  {
    title: 'Memory',
    unit: 'bytes',
    series: [{ name: 'resident', reading: { kind: 'sum', metric: 'process_resident_memory_bytes' } }],
  },
];

export class Status {
  readonly #options: StatusOptions;
  readonly #sources: StatusSources;
  readonly #history: History;
  readonly #startedAt = new Date();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #rendering: Promise<string> | undefined;

  constructor(options: StatusOptions, sources: StatusSources) {
    this.#options = options;
    this.#sources = sources;
    this.#history = new History([...options.charts, ...PROCESS_CHARTS]);
  }

  /** Takes a sample now, and one each `SAMPLE_EVERY_MS` until `close`. */
  start(): void {
    void this.sample(performance.now()).then(() => {
      if (this.#isClosed) return;
      this.#timer = setTimeout(() => this.start(), SAMPLE_EVERY_MS).unref();
    });
  }

  /** Adds a sample. Never rejects: metrics that cannot be had leave a gap. */
  async sample(atMs: number): Promise<void> {
    const metrics = await withDeadline(this.#sources.metrics(), SAMPLE_DEADLINE_MS, 'the metrics').catch(
      () => undefined,
    );
    this.#history.add(metrics, atMs);
  }

  /** The page. Who asks while it is being made gets the same one. */
  render(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => {
      this.#rendering = undefined;
    });
    return this.#rendering;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  async #render(): Promise<string> {
    const { part, peers = [] } = this.#options;
    const [health, tables, ...others] = await Promise.all([
      this.#sources.health(),
      this.#tables(),
      ...peers.map(async peer => ({ peer, health: await healthOf(peer) })),
    ]);
    return page({
      part,
      at: new Date(),
      startedAt: this.#startedAt,
      health: { ...health, text: withoutUser(health.text) },
      peers: others,
      charts: this.#history.charts(),
      tables,
    });
  }

  async #tables(): Promise<readonly StatusTable[]> {
    const { tables = () => [] } = this.#options;
    try {
      return await withDeadline(Promise.resolve().then(tables), TABLES_DEADLINE_MS, 'the tables');
    } catch (err) {
      return [
        {
          title: 'Details',
          columns: [],
          rows: [],
          empty: `cannot be told now: ${withoutUser(messageOf(err))}`,
        },
      ];
    }
  }
}
