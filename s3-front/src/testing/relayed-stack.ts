/** An s3-front whose calls to the metadata module go through a relay. */
import type { TestContext } from 'node:test';
import { type MetadataRelay, startMetadataRelay } from './metadata-relay.js';
import { type S3Stack, startStack } from './s3-stack.js';

export async function startRelayedStack(
  t: TestContext,
  options: Parameters<typeof startMetadataRelay>[2] = {},
): Promise<S3Stack & { readonly relay: MetadataRelay }> {
  let relay: MetadataRelay | undefined;
  const stack = await startStack(t, async port => {
    relay = await startMetadataRelay(t, port('METADATA_PORT'), options);
    return { METADATA_PORT: String(relay.port) };
  });
  if (relay === undefined) throw new Error('the front was started without its relay');
  return { ...stack, relay };
}
