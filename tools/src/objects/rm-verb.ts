import { sha256Of } from '@zenko-modules/metadata-module/versioning/compare-and-swap';
import { EXIT, type ExitCode, ToolError } from '../command/exit-code.js';
import type { AddVerb, VerbContext } from '../command/verb.js';
import { nameOf } from '../metadata/entry-key.js';
import type { MetadataClient } from '../metadata/metadata-client.js';
import { bucketOf, type ObjectPath, parseObjectPath } from './bucket.js';
import { freedBy, removeBlobs } from './freed-blobs.js';
import { withData, withMetadata } from './module-clients.js';

export const addRm: AddVerb = (program, run) => {
  program
    .command('rm <path>')
    .summary('removes an object, or one version of it, and its bytes')
    .description(
      'Removes the metadata of <bucket>/<key>, then its blobs. Where the bucket has versions one must be named: it is gone ' +
        'for good, and no delete marker is put. Ends with 1 when a blob was missing already.',
    )
    .option('--version-id <id>', 'as ls shows it; null for the null version')
    .action((path: string, { versionId }: { readonly versionId?: string }) =>
      run(context => rm(parseObjectPath(path), versionId, context)),
    );
};

function rm(path: ObjectPath, versionId: string | undefined, context: VerbContext): Promise<ExitCode> {
  return withMetadata(context, metadata =>
    withData(context, async data => {
      const { bucket, key } = path;
      const { versioningConfiguration } = await bucketOf(metadata, bucket);
      if (versioningConfiguration !== null && versionId === undefined)
        throw new ToolError(`${bucket}: it has versions: name one with --version-id, as ls shows it`);
      const name = `${bucket}: ${nameOf({ key, versionId })}`;
      const value = await metadata.get(bucket, key, { versionId });
      if (value === undefined) throw new ToolError(`${name}: there is none`);
      const blobs = freedBy(value);
      if (versionId !== undefined) await metadata.deleteVersion(bucket, key, versionId);
      else if (!(await removeMaster(metadata, path, value)))
        throw new ToolError(`${name}: somebody else changed it at the same time: try again`);
      const missing = await removeBlobs(data, blobs);
      context.output.result(
        { event: 'removed', bucket, key, versionId, blobs, missing },
        `${name}: removed, with ${blobs.length} blobs${missing.length === 0 ? '' : `; these were missing: ${missing.join(', ')}`}`,
      );
      return missing.length === 0 ? EXIT.sound : EXIT.found;
    }),
  );
}

function removeMaster(
  metadata: MetadataClient,
  { bucket, key }: ObjectPath,
  value: string,
): Promise<boolean> {
  return metadata.compareAndSwap(bucket, key, [{ sha256: sha256Of(value) }], [{ value: null }]);
}
