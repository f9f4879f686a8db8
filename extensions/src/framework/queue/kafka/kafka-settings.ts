/** How the brokers are reached, from the settings. */
import type { HostAndPort } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import type { QueueSettings } from '../../extension-settings.js';

export type SaslMechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512';

export interface KafkaOptions {
  /** `host:port` of each. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** `undefined`: no TLS. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
  /** `undefined`: no login. */
  readonly sasl:
    { readonly mechanism: SaslMechanism; readonly username: string; readonly password: string } | undefined;
  /** A member of a group that was silent for so long is taken for dead. */
  readonly sessionTimeoutMs: number;
  readonly partitions: number;
  readonly replication: number;
  /** How long topics keep messages; -1: for ever. */
  readonly retentionMs: number;
  /** Replicas that have a message before it is acknowledged. */
  readonly minInsync: number;
}

/** @throws StartError for settings that contradict each other. */
export function kafkaOptions(settings: QueueSettings, hosts: readonly HostAndPort[]): KafkaOptions {
  return {
    brokers: hosts.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`),
    clientId: settings.KAFKA_CLIENT_ID,
    tls: tlsOptions(settings),
    sasl: saslOptions(settings),
    sessionTimeoutMs: settings.KAFKA_SESSION_TIMEOUT_MS,
    partitions: settings.KAFKA_TOPIC_PARTITIONS,
    replication: settings.KAFKA_TOPIC_REPLICATION,
    retentionMs: settings.KAFKA_TOPIC_RETENTION_MS,
    minInsync: minInsync(settings),
  };
}

function minInsync({ KAFKA_TOPIC_REPLICATION, KAFKA_TOPIC_MIN_INSYNC_REPLICAS }: QueueSettings): number {
  const number = KAFKA_TOPIC_MIN_INSYNC_REPLICAS ?? Math.floor(KAFKA_TOPIC_REPLICATION / 2) + 1;
  if (number <= KAFKA_TOPIC_REPLICATION) return number;
  throw new StartError(
    `KAFKA_TOPIC_MIN_INSYNC_REPLICAS (${number}) must not be larger than KAFKA_TOPIC_REPLICATION (${KAFKA_TOPIC_REPLICATION}): nothing could be published`,
  );
}

/** For a queue that is files. @throws StartError when a setting says how brokers are to be reached */
export function refuseWithoutBrokers(settings: QueueSettings): void {
  const names = [
    'KAFKA_TLS_CA',
    'KAFKA_TLS_CERT',
    'KAFKA_TLS_KEY',
    'KAFKA_SASL_MECHANISM',
    'KAFKA_SASL_USER',
    'KAFKA_SASL_PASSWORD',
  ] as const;
  const set = [
    ...names.filter(name => settings[name] !== undefined),
    ...(settings.KAFKA_TLS ? ['KAFKA_TLS'] : []),
  ];
  if (set.length > 0)
    throw new StartError(
      `${set.join(', ')}: set, and KAFKA_HOSTS is not: messages would go into files, not to Kafka`,
    );
}

function tlsOptions(settings: QueueSettings): KafkaOptions['tls'] {
  const { KAFKA_TLS, KAFKA_TLS_CA: ca, KAFKA_TLS_CERT: cert, KAFKA_TLS_KEY: key } = settings;
  if ((cert === undefined) !== (key === undefined)) {
    throw new StartError('KAFKA_TLS_CERT and KAFKA_TLS_KEY belong together: set both or none');
  }
  if (!KAFKA_TLS) {
    if (ca === undefined && cert === undefined) return undefined;
    throw new StartError('KAFKA_TLS_CA, KAFKA_TLS_CERT and KAFKA_TLS_KEY need KAFKA_TLS=true');
  }
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

function saslOptions(settings: QueueSettings): KafkaOptions['sasl'] {
  const {
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USER: username,
    KAFKA_SASL_PASSWORD: password,
  } = settings;
  if (mechanism === undefined && username === undefined && password === undefined) return undefined;
  if (mechanism === undefined || username === undefined || password === undefined) {
    throw new StartError(
      'KAFKA_SASL_MECHANISM, KAFKA_SASL_USER and KAFKA_SASL_PASSWORD belong together: set all or none',
    );
  }
  return { mechanism, username, password };
}
