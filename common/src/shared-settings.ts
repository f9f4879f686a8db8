/** Settings that more than one part reads. Each part lays its own table over these. */
import { TLS_SETTINGS } from './network/tls-settings.js';
import {
  hostAndPort,
  hosts,
  integer,
  type NamedHost,
  oneOf,
  optional,
  parsed,
  port,
  secret,
  setting,
  text,
} from './settings.js';

export const LOG_SETTINGS = {
  LOG_LEVEL: setting(
    oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    'info',
    'least severe level that is logged, as JSON lines on standard output',
  ),
} as const;

export const STOP_SETTINGS = {
  STOP_GRACE_MS: setting(
    integer(0, 600_000, 'milliseconds'),
    '8000',
    'time that a part has to finish what is in flight after SIGTERM',
  ),
} as const;

/** Read by Node.js itself when a process starts, so it has to be set for it by whatever starts it. */
export const THREAD_POOL_SETTINGS = {
  UV_THREADPOOL_SIZE: setting(
    integer(1, 1024),
    '16',
    'threads of each data worker that wait for the disk. With 4, which Node.js has by itself, four slow syncs hold up every read; threads that wait cost little',
  ),
} as const;

export const DATA_FOLDER_SETTINGS = {
  DATA_DIR: setting(
    text,
    './data',
    'folder under which each part keeps its own; made only when it is the default',
  ),
} as const;

export const LISTEN_SETTINGS = {
  LISTEN_ADDRESS: setting(text, '127.0.0.1', 'address on which the modules listen; 0.0.0.0 in the images'),
} as const;

/** Where the probes of each part are; a part has its own in its table. */
export const PROBE_PORT_SETTINGS = {
  DATA_PROBE_PORT: setting(port, '4042', "port of the data module's health, metrics and status page"),
  METADATA_PROBE_PORT: setting(port, '4043', "port of the metadata module's health, metrics and status page"),
  POPULATOR_PROBE_PORT: setting(port, '4044', "port of the populator's health, metrics and status page"),
  PROCESSOR_PROBE_PORT: setting(port, '4047', "port of a processor's health, metrics and status page"),
  S3_PROBE_PORT: setting(port, '4046', "port of s3-front's health, metrics and status page"),
} as const;

/** For the status page of each part. */
export const STATUS_SETTINGS = {
  STATUS_PARTS: optional(
    parsed('name=host:port, several separated by commas', partsNamed),
    'parts whose health `/_/status` shows, too: the host and the port of the probes of each; `npm start` names all that it runs',
  ),
} as const;

export const DATA_PORT_SETTING = {
  DATA_PORT: setting(port, '9991', 'port of the data module'),
  DATA_TLS_PORT: optional(
    port,
    'port of the data module for TLS with client certificates, beside DATA_PORT; where it is set s3-front and the tools connect to it',
  ),
} as const;
export const METADATA_PORT_SETTING = {
  METADATA_PORT: setting(port, '9990', 'port of the metadata module'),
  METADATA_TLS_PORT: optional(
    port,
    'port of the metadata module for TLS with client certificates, beside METADATA_PORT; where it is set s3-front, populator and tools connect to it',
  ),
} as const;
export const S3_PORT_SETTING = { S3_PORT: setting(port, '8000', 'port of s3-front') } as const;

/** Where the data module is found. */
export const DATA_CLIENT_SETTINGS = {
  ...DATA_PORT_SETTING,
  ...TLS_SETTINGS,
  DATA_HOST: setting(text, '127.0.0.1', 'where s3-front and CloudServer find the data module'),
} as const;

/** Where the metadata module is found. */
export const METADATA_CLIENT_SETTINGS = {
  ...METADATA_PORT_SETTING,
  ...TLS_SETTINGS,
  METADATA_HOST: setting(
    text,
    '127.0.0.1',
    'where s3-front, populator and CloudServer find the metadata module',
  ),
} as const;

/** For the extensions, and for the launcher that runs their processors. */
export const EXTENSIONS_SETTING = {
  EXTENSIONS: optional(
    parsed('names of extensions, separated by commas', extensionNames),
    'extensions to switch on, beside those that the configuration does; `npm start` runs a processor of each',
  ),
} as const;

function partsNamed(parts: string): readonly NamedHost[] {
  return parts.split(',').map(part => {
    const [, name, place = ''] = /^\s*([A-Za-z0-9._ -]{1,64})=(.*)$/.exec(part) ?? [];
    if (name === undefined) throw new Error(`"${part}" is no name=host:port`);
    return { name, ...hostAndPort(place) };
  });
}

function extensionNames(names: string): readonly string[] {
  const found = names.split(',').map(name => name.trim());
  if (!found.every(name => /^[A-Za-z][A-Za-z0-9_-]*$/.test(name))) throw new Error('it has other characters');
  return [...new Set(found)];
}

export const S3_CREDENTIALS_SETTINGS = {
  S3_ACCESS_KEY: setting(text, 'accessKey1', 'access key of s3-front and of the processors'),
  S3_SECRET_KEY: secret(setting(text, 'verySecretKey1', 'secret key of s3-front and of the processors')),
} as const;

/** memcached, for the data module's store and for jsonmemcached. */
export const MEMCACHED_SETTINGS = {
  MEMCACHED_HOSTS: optional(hosts(11_211), 'memcached servers'),
  MEMCACHED_USER: optional(text, 'SASL user of the memcached servers'),
  MEMCACHED_PASSWORD: secret(optional(text, 'SASL password of the memcached servers')),
} as const;

/** MongoDB, for the data module's store and for mongodown. */
export const MONGODB_CLIENT_SETTINGS = {
  MONGODB_URL: secret(
    optional(
      text,
      'connection string of the MongoDB servers, with credentials and TLS options as the driver takes them; gridfs and mongodown need it',
    ),
  ),
  MONGODB_DATABASE: setting(text, 'zenko', 'database that gridfs and mongodown keep their collections in'),
  MONGODB_TIMEOUT_MS: setting(
    integer(100, 60_000, 'milliseconds'),
    '4000',
    'time within which a call succeeds or fails, and in which a server must be found',
  ),
  MONGODB_SOCKET_TIMEOUT_MS: setting(
    integer(1000, 600_000, 'milliseconds'),
    '30000',
    'silence after which a connection with a command under way is given up',
  ),
} as const;
