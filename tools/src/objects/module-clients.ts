/** The clients of both modules for the time of one verb. */
import type { VerbContext } from '../command/verb.js';
import { BlobClient } from '../data/blob-client.js';
import { MetadataClient } from '../metadata/metadata-client.js';
import { withModules } from '../modules.js';

async function whileOpen<C extends { close(): void }, T>(
  client: C,
  work: (client: C) => Promise<T>,
): Promise<T> {
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

export function withMetadata<T>(
  { env, signal }: VerbContext,
  work: (client: MetadataClient) => Promise<T>,
): Promise<T> {
  return withModules(env, async ({ metadata }) =>
    whileOpen(await MetadataClient.connect({ ...metadata, signal }), work),
  );
}

export function withData<T>(
  { env, signal }: VerbContext,
  work: (client: BlobClient) => Promise<T>,
): Promise<T> {
  return withModules(env, async ({ data }) => whileOpen(await BlobClient.connect({ ...data, signal }), work));
}
