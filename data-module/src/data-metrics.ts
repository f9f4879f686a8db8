/** The data module's metrics, all of them. */
import { createRefusalCounter } from '@zenko-modules/common/network/refusal-metrics';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const SECONDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];

export type DataMetrics = ReturnType<typeof createDataMetrics>;

export function createDataMetrics(registry: Registry) {
  const registers = [registry];
  return {
    refusedConnections: createRefusalCounter('data', registry),
    requests: new Counter({
      name: 'data_http_requests_total',
      help: 'Requests that were answered or cut off, by method and status (0: cut off before a status)',
      labelNames: ['method', 'status'] as const,
      registers,
    }),
    requestSeconds: new Histogram({
      name: 'data_http_request_seconds',
      help: 'Time from the head of a request to the last byte of its answer',
      labelNames: ['method'] as const,
      buckets: SECONDS,
      registers,
    }),
    inFlight: new Gauge({
      name: 'data_http_requests_in_flight',
      help: 'Requests that are being worked on',
      registers,
    }),
    bytes: new Counter({
      name: 'data_blob_bytes_total',
      help: 'Bytes of blobs stored (in) and sent (out)',
      labelNames: ['direction'] as const,
      registers,
    }),
    storeSeconds: new Histogram({
      name: 'data_store_operation_seconds',
      help: 'Time that the store took, by operation and outcome (ok or the type of the error)',
      labelNames: ['operation', 'outcome'] as const,
      buckets: SECONDS,
      registers,
    }),
  };
}
