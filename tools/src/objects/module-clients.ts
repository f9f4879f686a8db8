/** The clients of both modules for the time of one verb. */
import type { VerbContext } from '../command/verb.js';
import { BlobClient } from '../data/blob-client.js';
import { MetadataClient } from '../metadata/metadata-client.js';
import { withModules } from '../modules.js';

export function withMetadata<T>(
  { env, signal }: VerbContext,
  work: (client: MetadataClient) => Promise<T>,
): Promise<T> {
  return withModules(env, async modules => {
    const client = await MetadataClient.connect({ ...modules.metadata, signal });
    try {
      return await work(client);
    } finally {
      client.close();
    }
  });
}

export function withData<T>(
  { env, signal }: VerbContext,
  work: (client: BlobClient) => Promise<T>,
): Promise<T> {
  return withModules(env, async modules => {
    const client = await BlobClient.connect({ ...modules.data, signal });
    try {
      return await work(client);
    } finally {
      client.close();
    }
  });
}
