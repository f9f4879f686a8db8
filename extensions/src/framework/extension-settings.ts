/** Every setting of populator, processors and their commands, as the reference page shows them. */
import { NODE_SETTINGS } from '@zenko-modules/common/any-node';
import {
  flag,
  hosts,
  integer,
  oneOf,
  optional,
  parsed,
  secret,
  setting,
  type SettingsOf,
  text,
} from '@zenko-modules/common/settings';
import {
  DATA_FOLDER_SETTINGS,
  EXTENSIONS_SETTING,
  LISTEN_SETTINGS,
  PROBE_PORT_SETTINGS,
  METADATA_CLIENT_SETTINGS,
  S3_CREDENTIALS_SETTINGS,
  S3_PORT_SETTING,
  STATUS_SETTINGS,
  STOP_SETTINGS,
} from '@zenko-modules/common/shared-settings';

function retention(value: string): number {
  const ms = /^(?:-1|\d{1,15})$/.test(value) ? Number(value) : NaN;
  if (ms === -1 || ms >= 60_000) return ms;
  throw new Error('it is neither -1 nor a number from 60000');
}

function readerName(name: string): string {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) throw new Error('it has other characters, or too many');
  return name;
}

export const KAFKA_SETTINGS = {
  KAFKA_HOSTS: optional(hosts(9092), 'Kafka brokers; without it the queue is files under DATA_DIR'),
  KAFKA_CLIENT_ID: setting(text, 'zenko-extensions', 'name under which the brokers log us'),
  KAFKA_TLS: setting(flag, 'false', 'speak TLS to the brokers'),
  KAFKA_TLS_CA: optional(
    text,
    "PEM of the authorities that the brokers are checked against; else the system's",
  ),
  KAFKA_TLS_CERT: optional(text, 'PEM of our certificate, for brokers that ask for one'),
  KAFKA_TLS_KEY: secret(optional(text, 'PEM of the key of KAFKA_TLS_CERT')),
  KAFKA_SASL_MECHANISM: optional(
    oneOf('plain', 'scram-sha-256', 'scram-sha-512'),
    'how we log in to the brokers; without it we do not',
  ),
  KAFKA_SASL_USER: optional(text, 'user name at the brokers'),
  KAFKA_SASL_PASSWORD: secret(optional(text, 'password at the brokers')),
  KAFKA_SESSION_TIMEOUT_MS: setting(
    integer(3000, 1_800_000, 'milliseconds'),
    '30000',
    'how long a processor may be silent before the brokers take it for dead and give its partitions to others; brokers have bounds of their own, by default 6000 and 1800000',
  ),
  KAFKA_TOPIC_PARTITIONS: setting(integer(1, 10_000), '5', 'partitions of topics that we make'),
  KAFKA_TOPIC_REPLICATION: setting(integer(1, 100), '1', 'replicas of topics that we make'),
  KAFKA_TOPIC_MIN_INSYNC_REPLICAS: optional(
    integer(1, 100),
    'replicas that have a message before it is acknowledged, of topics that we make; more than half of KAFKA_TOPIC_REPLICATION unless set',
  ),
  KAFKA_TOPIC_RETENTION_MS: setting(
    parsed('-1 (for ever) or milliseconds from 60000', retention),
    '-1',
    'how long topics that we make keep messages, read or not; `<topic>-failed` keeps them for ever',
  ),
} as const;

export const QUEUE_SETTINGS = {
  ...KAFKA_SETTINGS,
  ...DATA_FOLDER_SETTINGS,
  QUEUE_SEGMENT_BYTES: setting(
    integer(1024, 1024 ** 3, 'bytes'),
    String(16 * 1024 * 1024),
    'size at which the embedded queue starts a new file; files that all groups have read are removed',
  ),
} as const;

/** The configuration, and what is laid over it. */
export const CONFIG_SETTINGS = {
  ...S3_PORT_SETTING,
  ...S3_CREDENTIALS_SETTINGS,
  ...EXTENSIONS_SETTING,
  S3_HOST: optional(text, 'where the processors find S3; 127.0.0.1 unless the configuration says otherwise'),
  BACKBEAT_CONFIG: optional(
    text,
    'configuration as JSON; BACKBEAT_CONFIG_FILE names the file instead of conf/config.json',
  ),
  SERVICE_ACCOUNTS: secret(optional(text, 'service accounts as JSON')),
  SERVICE_ACCOUNTS_FILE: optional(
    text,
    "file of service accounts instead, CloudServer's authdata.json; read again when it changes",
  ),
  EXTENSIONS_PATH: optional(text, 'folders that hold extensions of your own, separated by colons'),
  EXTENSIONS_REPLICATION_SOURCE_AUTH_TYPE: optional(
    oneOf('service', 'account'),
    '`.extensions.replication.source.auth.type`: processors sign as a service account, unless theirs says otherwise',
  ),
  EXTENSIONS_REPLICATION_SOURCE_AUTH_ACCOUNT: optional(
    text,
    '`.extensions.replication.source.auth.account`: name of that account in SERVICE_ACCOUNTS',
  ),
} as const;

const SHARED = { ...LISTEN_SETTINGS, ...STATUS_SETTINGS, ...QUEUE_SETTINGS, ...CONFIG_SETTINGS } as const;

export const POPULATOR_SETTINGS = {
  ...SHARED,
  ...NODE_SETTINGS,
  ...METADATA_CLIENT_SETTINGS,
  POPULATOR_PROBE_PORT: PROBE_PORT_SETTINGS.POPULATOR_PROBE_PORT,
  POPULATOR_NAME: setting(
    parsed('1 to 64 letters, digits, ".", "_" or "-"', readerName),
    'populator',
    'name under which the metadata module keeps what we have not read; one for each populator with a DATA_DIR of its own',
  ),
  POPULATOR_OFFSETS: setting(
    oneOf('folder', 'metadata'),
    'folder',
    'where offsets are kept, and which populator of this name works: in DATA_DIR, or in the metadata module, where populators on several machines find them',
  ),
  POPULATOR_BATCH_RECORDS: setting(
    integer(1, 100_000),
    '1000',
    'records that are read, filtered and published before the offset is saved',
  ),
  POPULATOR_POLL_MS: setting(
    integer(10, 60_000, 'milliseconds'),
    '200',
    'pause before the record log is asked again, where the metadata module does not tell of new records by itself',
  ),
  POPULATOR_FILTER_ATTEMPTS: setting(
    integer(1, 1000),
    '8',
    'attempts of a filter before the entry for which it keeps failing is parked in `<topic>-failed`',
  ),
} as const;

export const PROCESSOR_SETTINGS = {
  ...SHARED,
  PROCESSOR_PROBE_PORT: PROBE_PORT_SETTINGS.PROCESSOR_PROBE_PORT,
  PROCESSOR_CONCURRENCY: setting(
    integer(1, 1000),
    '10',
    'messages that a processor works on at once; `queueProcessor.concurrency` of its extension goes before it',
  ),
  PROCESSOR_MAX_ATTEMPTS: setting(
    integer(1, 1000),
    '5',
    'attempts before a message that keeps failing is parked in `<topic>-failed`',
  ),
  PROCESSOR_RETRY_MIN_MS: setting(
    integer(1, 600_000, 'milliseconds'),
    '250',
    'pause before the second attempt',
  ),
  PROCESSOR_RETRY_MAX_MS: setting(
    integer(1, 3_600_000, 'milliseconds'),
    '30000',
    'longest pause between attempts',
  ),
  PROCESSOR_ATTEMPT_TIMEOUT_MS: setting(
    integer(100, 24 * 3_600_000, 'milliseconds'),
    '300000',
    'an attempt that takes longer is told to end and counts as failed; sortByType and sortMusic have 20 minutes at least',
  ),
} as const;

/** What a command such as redrive needs. */
export const COMMAND_SETTINGS = { ...QUEUE_SETTINGS, ...CONFIG_SETTINGS } as const;

export type QueueSettings = SettingsOf<typeof QUEUE_SETTINGS>;
export type ConfigSettings = SettingsOf<typeof CONFIG_SETTINGS>;
export type PopulatorSettings = SettingsOf<typeof POPULATOR_SETTINGS>;
/** Every daemon has those of its end, too. */
export type ProcessorSettings = SettingsOf<typeof PROCESSOR_SETTINGS & typeof STOP_SETTINGS>;
