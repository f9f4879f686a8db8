/** Settings of s3-front, beside those that every daemon reads. */
import { integer, optional, parsed, setting, text } from '@zenko-modules/common/settings';
import {
  DATA_CLIENT_SETTINGS,
  LISTEN_SETTINGS,
  PROBE_PORT_SETTINGS,
  METADATA_CLIENT_SETTINGS,
  S3_CREDENTIALS_SETTINGS,
  S3_PORT_SETTING,
  STATUS_SETTINGS,
  STOP_SETTINGS,
} from '@zenko-modules/common/shared-settings';
import type { SettingsOf } from '@zenko-modules/common/settings';

const AGE_UNITS_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

export const FRONT_SETTINGS = {
  ...S3_PORT_SETTING,
  ...LISTEN_SETTINGS,
  ...STATUS_SETTINGS,
  ...METADATA_CLIENT_SETTINGS,
  ...DATA_CLIENT_SETTINGS,
  ...S3_CREDENTIALS_SETTINGS,
  ...STOP_SETTINGS,
  S3AUTH_CONFIG: optional(
    text,
    "file of accounts in CloudServer's form (authdata.json), each with its keys and its own buckets; without ids, and for services, the default account is meant; read again when it changes. S3_ACCESS_KEY is not taken then, unless it is one of them",
  ),
  S3_PROBE_PORT: PROBE_PORT_SETTINGS.S3_PROBE_PORT,
  S3_MAX_OBJECT_BYTES: setting(
    integer(1, Number.MAX_SAFE_INTEGER, 'bytes'),
    '5368709120',
    'largest object that s3-front takes in one request; the default is the limit of S3',
  ),
  S3_TLS_CERT_FILE: optional(
    text,
    'file with the certificate of s3-front and what it is signed by (PEM), for HTTPS; read again when it changes',
  ),
  S3_TLS_KEY_FILE: optional(text, 'file with the key of that certificate (PEM)'),
  S3_UPLOAD_MAX_AGE: setting(
    parsed('a number with a unit, such as 90s, 30m, 12h or 7d; without a unit, seconds', parseAge),
    '7d',
    'time after which s3-front removes a multipart upload that nobody has gone on with',
  ),
  S3_IDLE_TIMEOUT_MS: setting(
    integer(100, 3_600_000, 'milliseconds'),
    '120000',
    'time after which s3-front gives up a client that neither sends nor reads',
  ),
  S3_MODULE_TIMEOUT_MS: setting(
    integer(100, 600_000, 'milliseconds'),
    '10000',
    'time that a module has for an answer before s3-front answers ServiceUnavailable',
  ),
} as const;

/** In milliseconds. */
function parseAge(text: string): number {
  const [, count = '', unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(text) ?? [];
  if (count === '' || Number(count) === 0) throw new Error('it is not such a number, or zero');
  return Number(count) * AGE_UNITS_MS[unit as keyof typeof AGE_UNITS_MS];
}

export type FrontSettings = SettingsOf<typeof FRONT_SETTINGS>;
