/** What the first process and its workers say to each other. */
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { WorkerPlace } from '../stores/plugin.js';

/** How a worker is told which one it is: an environment variable that holds a `WorkerStart` as JSON. */
export const WORKER_VARIABLE = 'DATA_WORKER_START';

export interface WorkerStart extends WorkerPlace {
  /** The ports to listen on, by setting name. */
  readonly ports: Readonly<Record<string, number>>;
}

export type ProcessMetrics = MetricObjectWithValues<MetricValue<string>>[];

export type ToWorker =
  | { readonly ask: 'ping'; readonly id: number }
  | { readonly ask: 'metrics'; readonly id: number }
  | { readonly ask: 'stop' };

export type FromWorker =
  | { readonly tell: 'listening' }
  /** The start failed. `line` is what a person can mend; without it the worker has logged the error. */
  | { readonly tell: 'failed'; readonly line: string | undefined }
  | { readonly tell: 'pong'; readonly id: number; readonly reason: string | undefined }
  | { readonly tell: 'metrics'; readonly id: number; readonly metrics: ProcessMetrics };
