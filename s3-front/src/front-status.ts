/** What `/_/status` of s3-front shows. */
import { type ChartSpec, quantiles } from '@zenko-modules/common/status/history';

export const FRONT_CHARTS: readonly ChartSpec[] = [
  {
    title: 'Requests of S3',
    unit: 'per second',
    series: [
      { name: 'all', reading: { kind: 'rate', metric: 's3_front_requests_total' } },
      {
        name: 'failed',
        reading: { kind: 'rate', metric: 's3_front_requests_total', where: { status: /^(5|0$)/ } },
      },
    ],
  },
  { title: 'Time of a request', unit: 'seconds', series: quantiles('s3_front_request_seconds') },
];
