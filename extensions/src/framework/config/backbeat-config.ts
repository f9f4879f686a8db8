/**
 * The configuration, shaped as Backbeat's: one JSON file, environment variables laid over it, checked as a
 * whole before anything starts.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { messageOf } from '@zenko-modules/common/errors';
import { type Environment, type HostAndPort, hosts } from '@zenko-modules/common/settings';
import { StartError } from '@zenko-modules/common/start-error';
import { z } from 'zod';
import type { ConfigSettings, QueueSettings } from '../extension-settings.js';
import { type JsonObject, type NamedFields, overlayEnvironment } from './environment-overlay.js';

const SHIPPED_FILE = fileURLToPath(new URL('../../../conf/config.json', import.meta.url));
const KAFKA_HOSTS_KIND = hosts(9092);

export const s3Section = z.looseObject({
  host: z.string().min(1).optional(),
  port: z.int().min(1).max(65_535).optional(),
  transport: z.enum(['http', 'https']).optional(),
});

export const authSection = z.looseObject({
  type: z.enum(['service', 'account']),
  account: z.string().min(1),
});

/** What the framework itself reads of an extension's section. */
export const extensionSection = z.looseObject({
  /** `false`: this extension does not run. */
  enabled: z.boolean().optional(),
  topic: z.string().min(1).optional(),
  /** Backbeat's place for `queueProcessor.groupId`. */
  groupId: z.string().min(1).optional(),
  /** More messages than this waiting in a topic, and the filter's extension publishes no more until they are fewer. */
  maxBacklog: z.int().min(1).optional(),
  s3: s3Section.optional(),
  auth: authSection.optional(),
  queueProcessor: z
    .looseObject({
      groupId: z.string().min(1).optional(),
      concurrency: z.int().min(1).max(1000).optional(),
      maxAttempts: z.int().min(1).max(1000).optional(),
    })
    .optional(),
});

const configSchema = z.looseObject({
  kafka: z.looseObject({ hosts: z.string().optional() }).prefault({}),
  s3: s3Section.prefault({}),
  log: z
    .looseObject({
      logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).optional(),
    })
    .prefault({}),
  /** Sections by extension name. What an extension needs beyond the framework, its configValidator checks. */
  extensions: z.record(z.string(), z.looseObject({})).prefault({}),
});

export type BackbeatConfig = z.infer<typeof configSchema>;
export type ExtensionSection = z.infer<typeof extensionSection>;
export type S3Section = z.infer<typeof s3Section>;
export type AuthSection = z.infer<typeof authSection>;

export interface Configuration {
  readonly config: BackbeatConfig;
  /** Where the configuration came from, for messages. */
  readonly source: string;
  /** `undefined`: the embedded queue. */
  readonly kafkaHosts: readonly HostAndPort[] | undefined;
  /** What was set and has no effect, as lines for the log. */
  readonly warnings: readonly string[];
}

/**
 * Reads the configuration file, or the shipped one, and lays the environment over it.
 * @param known extensions that can be loaded, also when the file has no section for them.
 * @throws StartError naming each field that is wrong.
 */
export function readConfiguration(
  settings: ConfigSettings & Pick<QueueSettings, 'KAFKA_HOSTS'>,
  env: Environment,
  known: readonly NamedFields[],
): Configuration {
  const source =
    settings.BACKBEAT_CONFIG === undefined
      ? 'conf/config.json'
      : (env.BACKBEAT_CONFIG_FILE ?? 'BACKBEAT_CONFIG');
  const raw = parseJson(source, settings.BACKBEAT_CONFIG ?? readFileSync(SHIPPED_FILE, 'utf8'));
  const warnings = overlayEnvironment(raw, env, known);
  const config = check(source, configSchema, raw);
  let kafkaHosts = settings.KAFKA_HOSTS;
  if (!kafkaHosts && config.kafka.hosts) {
    const parsed = KAFKA_HOSTS_KIND.schema.safeParse(config.kafka.hosts);
    if (!parsed.success) {
      throw new StartError(`${source}: kafka.hosts: expected ${KAFKA_HOSTS_KIND.accepts}`);
    }
    kafkaHosts = parsed.data;
  }
  return { config, source, kafkaHosts, warnings };
}

function parseJson(source: string, text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (err) {
    throw new StartError(`${source}: is no JSON (${messageOf(err)})`, { cause: err });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new StartError(`${source}: expected a JSON object`);
  }
  return value as JsonObject;
}

/** @throws StartError with one part for each field that is wrong: where it stands, and what is expected. */
export function check<T>(where: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new StartError(`${where}: ${describeIssues(result.error)}`, { cause: result.error });
}

/** `extensions.helloWorld.topic: expected string, …` for each issue. */
export function describeIssues(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => `${path.length > 0 ? `${path.join('.')}: ` : ''}${message}`)
    .join('; ');
}
