/** S3 clients as the processors use them. */
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { S3Section } from '../config/backbeat-config.js';
import type { Credentials } from '../config/service-accounts.js';

const CONNECT_TIMEOUT_MS = 5000;
/** Without a byte from S3 for this long, a request has failed. */
const IDLE_TIMEOUT_MS = 30_000;
/**
 * Steps that the SDK takes for AWS alone, or for its own log. Each is worked out anew for every request: without
 * them a request costs about a tenth less of the processor's time.
 */
const STEPS_FOR_AWS = [
  'loggerMiddleware',
  'regionRedirectMiddleware',
  's3ExpressMiddleware',
  'getUserAgentMiddleware',
  'recursionDetectionMiddleware',
];
/** For requests at which S3 works long before its first answering byte: the `requestHandler` of their client. */
export const SLOW_ANSWERS = { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: 15 * 60_000 };

// Which Node runs is settled by this project's engines, not by every process's log.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

export interface S3Target {
  readonly endpoint: string;
  readonly credentials: Credentials;
}

/** Where S3 is. */
export interface S3Place {
  readonly host: string;
  readonly port: number;
  readonly transport: 'http' | 'https';
}

/** What the sections give together, later ones going before earlier ones. */
export function placeOf(...sections: readonly S3Section[]): S3Place {
  const { host = '127.0.0.1', port = 8000, transport = 'http' } = Object.assign({}, ...sections) as S3Section;
  return { host, port, transport };
}

/** Its URL. */
export function endpointOf({ host, port, transport }: S3Place): string {
  return `${transport}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Path-style, with deadlines, and without retries of its own: the processor runner makes them. */
export function createS3Client(
  { endpoint, credentials }: S3Target,
  overrides: S3ClientConfig = {},
): S3Client {
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    maxAttempts: 1,
    // Asked for each request, as they are over at once for the SDK.
    credentials: async () => ({ ...(await credentials.current()), expiration: new Date() }),
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS },
    // CloudServer does not know the checksums that newer SDKs add by default.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...overrides,
  });
  for (const step of STEPS_FOR_AWS) client.middlewareStack.remove(step);
  return client;
}
