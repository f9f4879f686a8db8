/** What charts show: the last hour of some readings, in a ring of a fixed size. */
import { Follower, type MetricsAsJson, type Reading } from './reading.js';

/** An hour of samples. */
export const SAMPLE_EVERY_MS = 15_000;
export const SAMPLES = 240;

export type Unit = 'per second' | 'seconds' | 'bytes' | 'bytes per second' | 'records' | 'messages';

export interface ChartSpec {
  readonly title: string;
  readonly unit: Unit;
  readonly series: readonly { readonly name: string; readonly reading: Reading }[];
}

/** The median and the 99th percentile of a histogram. */
export function quantiles(metric: string, where: Readonly<Record<string, RegExp>> = {}): ChartSpec['series'] {
  return [0.5, 0.99].map(quantile => ({
    name: `${quantile * 100} %`,
    reading: { kind: 'quantile', metric, quantile, where },
  }));
}

export interface Line {
  readonly name: string;
  /** Oldest first; `NaN` where there is none. */
  readonly values: readonly number[];
}

export class History {
  readonly #charts: readonly ChartSpec[];
  readonly #lines: readonly (readonly { readonly follower: Follower; readonly ring: Float64Array }[])[];
  #taken = 0;

  constructor(charts: readonly ChartSpec[]) {
    this.#charts = charts;
    this.#lines = charts.map(({ series }) =>
      series.map(({ reading }) => ({
        follower: new Follower(reading),
        ring: new Float64Array(SAMPLES).fill(NaN),
      })),
    );
  }

  /** Adds a sample; without metrics, which could not be had, a gap. */
  add(metrics: MetricsAsJson | undefined, atMs: number): void {
    const place = this.#taken % SAMPLES;
    for (const { follower, ring } of this.#lines.flat())
      ring[place] = metrics === undefined ? NaN : follower.next(metrics, atMs);
    this.#taken += 1;
  }

  /** Each chart with its lines, all of `SAMPLES` values. */
  charts(): readonly { readonly spec: ChartSpec; readonly lines: readonly Line[] }[] {
    const oldest = this.#taken % SAMPLES;
    return this.#charts.map((spec, chart) => ({
      spec,
      lines: spec.series.map(({ name }, index) => {
        const ring = this.#lines[chart]?.[index]?.ring ?? [];
        return { name, values: [...ring.slice(oldest), ...ring.slice(0, oldest)] };
      }),
    }));
  }
}
