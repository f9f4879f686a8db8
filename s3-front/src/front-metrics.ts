/** What the front counts, in the form of Prometheus. */
import { Counter, Histogram, type Registry } from 'prom-client';

export interface FrontMetrics {
  /** Requests answered, by operation of S3 (`none` for what is none) and status; 0: the client went away. */
  readonly requests: Counter<'operation' | 'status'>;
  readonly requestSeconds: Histogram<'operation'>;
}

export function createFrontMetrics(registry: Registry): FrontMetrics {
  return {
    requests: new Counter({
      name: 's3_front_requests_total',
      help: 'Requests by operation and HTTP status',
      labelNames: ['operation', 'status'],
      registers: [registry],
    }),
    requestSeconds: new Histogram({
      name: 's3_front_request_seconds',
      help: 'Time from the head of a request to the end of its answer',
      labelNames: ['operation'],
      buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60],
      registers: [registry],
    }),
  };
}
