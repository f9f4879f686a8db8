/** What `/_/status` of the data module shows. */
import { type ChartSpec, quantiles } from '@zenko-modules/common/status/history';

export const DATA_CHARTS: readonly ChartSpec[] = [
  {
    title: 'Requests',
    unit: 'per second',
    series: [
      { name: 'all', reading: { kind: 'rate', metric: 'data_http_requests_total' } },
      {
        name: 'failed',
        reading: { kind: 'rate', metric: 'data_http_requests_total', where: { status: /^(5|0$)/ } },
      },
    ],
  },
  {
    title: 'Bytes of blobs',
    unit: 'bytes per second',
    series: [
      {
        name: 'stored',
        reading: { kind: 'rate', metric: 'data_blob_bytes_total', where: { direction: /^in$/ } },
      },
      {
        name: 'sent',
        reading: { kind: 'rate', metric: 'data_blob_bytes_total', where: { direction: /^out$/ } },
      },
    ],
  },
  { title: 'Time of a request', unit: 'seconds', series: quantiles('data_http_request_seconds') },
  {
    title: 'Time of the store, 99 %',
    unit: 'seconds',
    series: ['put', 'get', 'delete'].map(operation => ({
      name: operation,
      reading: {
        kind: 'quantile',
        metric: 'data_store_operation_seconds',
        quantile: 0.99,
        where: { operation: new RegExp(`^${operation}$`) },
      },
    })),
  },
];
