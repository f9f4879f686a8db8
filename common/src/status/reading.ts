/** One number out of the metrics, sample by sample. */
import type { MetricObjectWithValues, MetricValue } from 'prom-client';

export type MetricsAsJson = readonly Pick<MetricObjectWithValues<MetricValue<string>>, 'name' | 'values'>[];

interface Selected {
  readonly metric: string;
  /** Only series whose labels match all of these. */
  readonly where?: Readonly<Record<string, RegExp>>;
}

/** What is plotted: how fast a counter grows each second, a quantile of a histogram since the sample before, or the sum or the largest of gauges. */
export type Reading =
  | (Selected & { readonly kind: 'rate' })
  | (Selected & { readonly kind: 'quantile'; readonly quantile: number })
  | (Selected & { readonly kind: 'sum' })
  | (Selected & { readonly kind: 'max' });

/** Follows one reading. Keeps no more than the sample before. */
export class Follower {
  readonly #reading: Reading;
  #before: { readonly atMs: number; readonly values: ReadonlyMap<number, number> } | undefined;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /** `NaN`: nothing can be said, as before a second sample, without any event, or after counters began anew. */
  next(metrics: MetricsAsJson, atMs: number): number {
    const reading = this.#reading;
    const series = seriesOf(metrics, reading);
    if (reading.kind === 'sum') return series === undefined ? NaN : sum(series.map(({ value }) => value));
    if (reading.kind === 'max')
      return series === undefined || series.length === 0
        ? NaN
        : Math.max(...series.map(({ value }) => value));
    const values = new Map<number, number>();
    for (const { labels, value } of series ?? []) {
      const bound = reading.kind === 'rate' ? 0 : boundOf(labels);
      values.set(bound, (values.get(bound) ?? 0) + value);
    }
    const before = this.#before;
    this.#before = series === undefined ? undefined : { atMs, values };
    if (before === undefined || series === undefined) return NaN;
    const grown = [...new Set([...before.values.keys(), ...values.keys()])].map(
      bound => [bound, (values.get(bound) ?? 0) - (before.values.get(bound) ?? 0)] as const,
    );
    if (grown.some(([, more]) => more < 0)) return NaN;
    if (reading.kind === 'quantile') return quantileOf(grown, reading.quantile);
    const seconds = (atMs - before.atMs) / 1000;
    return seconds > 0 ? sum(grown.map(([, more]) => more)) / seconds : NaN;
  }
}

/** `undefined`: there is no such metric. */
function seriesOf(
  metrics: MetricsAsJson,
  { kind, metric, where = {} }: Reading,
): readonly MetricValue<string>[] | undefined {
  const found = metrics.find(({ name }) => name === metric);
  const name = kind === 'quantile' ? `${metric}_bucket` : undefined;
  return found?.values.filter(
    value =>
      (name === undefined || ('metricName' in value && value.metricName === name)) &&
      Object.entries(where).every(([label, pattern]) => pattern.test(String(value.labels[label] ?? ''))),
  );
}

function boundOf({ le }: MetricValue<string>['labels']): number {
  return le === '+Inf' ? Infinity : Number(le);
}

/** As Prometheus tells it: as if the events of a bucket lay evenly in it. */
function quantileOf(cumulative: readonly (readonly [number, number])[], quantile: number): number {
  const buckets = cumulative.toSorted(([a], [b]) => a - b);
  const all = buckets.at(-1)?.[1] ?? 0;
  if (all === 0) return NaN;
  const wanted = quantile * all;
  let [low, below] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= wanted) {
      if (bound === Infinity) return low;
      return low + ((bound - low) * (wanted - below)) / (count - below);
    }
    [low, below] = [bound, count];
  }
  return low;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
