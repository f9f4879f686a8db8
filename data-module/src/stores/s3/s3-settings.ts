import {
  flag,
  integer,
  optional,
  parsed,
  secret,
  setting,
  text,
  type SettingsOf,
} from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';

const MiB = 1024 * 1024;

export const S3_STORE_SETTINGS = {
  S3_STORE_ENDPOINT: optional(
    parsed('a URL such as http://rgw:7480', endpoint),
    'where the S3-compatible cluster is; none: AWS, in S3_STORE_REGION',
  ),
  S3_STORE_BUCKET: optional(text, 'bucket of the blobs, which exists and keeps no versions'),
  S3_STORE_PREFIX: setting(
    parsed('letters, digits, ".", "_", "-" and "/", at most 256', prefix),
    'zenko-data/',
    'what the names of the blobs begin with; nothing else may be kept under it',
  ),
  S3_STORE_REGION: setting(text, 'us-east-1', 'region that requests are signed for'),
  S3_STORE_ACCESS_KEY: optional(
    text,
    'access key of the cluster; none: as the SDK finds one, such as the role of the machine',
  ),
  S3_STORE_SECRET_KEY: secret(optional(text, 'secret key of the cluster')),
  S3_STORE_PATH_STYLE: setting(
    flag,
    'true',
    'the bucket stands in the path of requests, not in the name of the host',
  ),
  S3_STORE_PART_BYTES: setting(
    integer(5 * MiB, 512 * MiB, 'bytes'),
    String(5 * MiB),
    'bytes of a part: larger blobs are multipart uploads, of at most 10,000 parts; each transfer holds two of them in memory',
  ),
  S3_STORE_TIMEOUT_MS: setting(
    integer(100, 600_000, 'milliseconds'),
    '10000',
    'silence of the cluster after which a call has failed; most calls are tried twice',
  ),
  S3_STORE_UPLOAD_MS: setting(
    integer(1000, 1_000_000_000_000, 'milliseconds'),
    '86400000',
    'longest time that an upload may take; multipart uploads twice as old have been left by a module that ended, and are aborted. The same for all modules of one prefix',
  ),
} as const;

export type S3StoreSettings = SettingsOf<typeof S3_STORE_SETTINGS>;

/** @throws StartError for settings that are missing or contradict each other. */
export function checkSettings(settings: S3StoreSettings): S3StoreSettings & { S3_STORE_BUCKET: string } {
  const { S3_STORE_BUCKET, S3_STORE_ACCESS_KEY, S3_STORE_SECRET_KEY } = settings;
  if (S3_STORE_BUCKET === undefined)
    throw new StartError('S3_STORE_BUCKET: missing, the s3 store needs it: expected the name of a bucket');
  if ((S3_STORE_ACCESS_KEY === undefined) !== (S3_STORE_SECRET_KEY === undefined))
    throw new StartError(
      'S3_STORE_ACCESS_KEY and S3_STORE_SECRET_KEY: only one is set: expected both or none',
    );
  return { ...settings, S3_STORE_BUCKET };
}

function endpoint(value: string): string {
  const { protocol, username, search, hash } = new URL(value);
  if (!/^https?:$/.test(protocol) || username !== '' || search !== '' || hash !== '')
    throw new Error('it is no plain URL of http or https');
  return value;
}

function prefix(value: string): string {
  if (!/^[\w.\-/]{1,256}$/.test(value)) throw new Error('it has other characters');
  return value;
}
