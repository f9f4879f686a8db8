/** S3 as the configuration gives it to one extension. */
import type { S3Client } from '@aws-sdk/client-s3';
import type { AuthSection, BackbeatConfig, ExtensionSection } from '../config/backbeat-config.js';
import { credentialsOf, type KeyPair } from '../config/service-accounts.js';
import type { CreateS3Client } from '../contract/extension.js';
import type { ConfigSettings } from '../extension-settings.js';
import { type AskS3, createAskS3 } from './ask-s3.js';
import { createS3Client, endpointOf, placeOf, type S3Place } from './s3-client.js';

export interface S3OfExtension {
  readonly endpoint: string;
  /** The same in parts. */
  readonly place: S3Place;
  /** Where the credentials come from, for the log. */
  readonly credentialsSource: string;
  readonly createClient: CreateS3Client;
  /** Keys for a client that the extension makes itself. @throws StartError when there is no such account. */
  readonly keysOf: (auth: AuthSection | undefined) => () => Promise<KeyPair>;
  readonly ask: AskS3;
  /** Closes every client that was made. */
  readonly destroy: () => void;
}

export function s3OfExtension(
  settings: ConfigSettings,
  config: BackbeatConfig,
  section: ExtensionSection,
): S3OfExtension {
  const place = placeOf({ port: settings.S3_PORT }, config.s3, section.s3 ?? {});
  const endpoint = endpointOf(place);
  const credentials = credentialsOf(section.auth, config, settings);
  const target = { endpoint, credentials };
  const clients: S3Client[] = [];
  let isUsed = false;
  const asking = createS3Client(target);
  const ask = createAskS3(asking);
  return {
    endpoint,
    place,
    credentialsSource: credentials.source,
    createClient: overrides => {
      const client = createS3Client(target, overrides);
      clients.push(client);
      isUsed = true;
      return client;
    },
    keysOf: auth => {
      isUsed = true;
      return credentialsOf(auth, config, settings).current;
    },
    // One that never uses S3 does not fail because of it.
    ask: bucket => (isUsed ? ask(bucket) : Promise.resolve('well')),
    destroy: () => {
      for (const client of [...clients, asking]) client.destroy();
    },
  };
}
