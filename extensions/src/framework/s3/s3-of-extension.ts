/** S3 as the configuration gives it to one extension. */
import type { S3Client } from '@aws-sdk/client-s3';
import type { BackbeatConfig, ExtensionSection } from '../config/backbeat-config.js';
import { credentialsOf } from '../config/service-accounts.js';
import type { CreateS3Client } from '../contract/extension.js';
import type { ConfigSettings } from '../extension-settings.js';
import { type AskS3, createAskS3 } from './ask-s3.js';
import { createS3Client, endpointOf } from './s3-client.js';

export interface S3OfExtension {
  readonly endpoint: string;
  /** Where the credentials come from, for the log. */
  readonly credentialsSource: string;
  readonly createClient: CreateS3Client;
  readonly ask: AskS3;
  /** Closes every client that was made. */
  readonly destroy: () => void;
}

export function s3OfExtension(
  settings: ConfigSettings,
  config: BackbeatConfig,
  section: ExtensionSection,
): S3OfExtension {
  const endpoint = endpointOf({ port: settings.S3_PORT }, config.s3, section.s3 ?? {});
  const credentials = credentialsOf(section.auth, config, settings);
  const target = { endpoint, credentials };
  const clients: S3Client[] = [];
  const asking = createS3Client(target);
  const ask = createAskS3(asking);
  return {
    endpoint,
    credentialsSource: credentials.source,
    createClient: overrides => {
      const client = createS3Client(target, overrides);
      clients.push(client);
      return client;
    },
    // One that never uses S3 does not fail because of it.
    ask: bucket => (clients.length === 0 ? Promise.resolve('well') : ask(bucket)),
    destroy: () => {
      for (const client of [...clients, asking]) client.destroy();
    },
  };
}
