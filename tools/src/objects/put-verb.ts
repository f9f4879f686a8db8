import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { messageOf } from '@zenko-modules/common/errors';
import { sha256Of } from '@zenko-modules/metadata-module/versioning/compare-and-swap';
import { type BucketAttributes, DEFAULT_LOCATION } from '@zenko-modules/s3-front/bucket-attributes';
import {
  NO_CONTENT_HEADERS,
  newLocation,
  newObjectValue,
  type ObjectValue,
} from '@zenko-modules/s3-front/object-value';
import { EXIT, type ExitCode, ToolError } from '../command/exit-code.js';
import type { AddVerb, VerbContext } from '../command/verb.js';
import type { BlobClient } from '../data/blob-client.js';
import type { MetadataClient } from '../metadata/metadata-client.js';
import { bucketOf, type ObjectPath, parseObjectPath } from './bucket.js';
import { freedBy, removeBlobs } from './freed-blobs.js';
import { withData, withMetadata } from './module-clients.js';

export const addPut: AddVerb = (program, run) => {
  program
    .command('put <path> <file>')
    .summary('stores a file as an object')
    .description(
      'Stores a file as <bucket>/<key> as CloudServer does: first the bytes, then the metadata. The bucket must be there. ' +
        'It refuses what only S3 can do: encrypted buckets, locked objects, and null versions beside others.',
    )
    .option('--content-type <type>', 'kept with the object', 'application/octet-stream')
    .action((path: string, file: string, { contentType }: { readonly contentType: string }) =>
      run(context => put(parseObjectPath(path), file, contentType, context)),
    );
};

interface Stored {
  readonly blob: string | undefined;
  readonly size: number;
  readonly md5: string;
}

async function put(
  path: ObjectPath,
  file: string,
  contentType: string,
  context: VerbContext,
): Promise<ExitCode> {
  const handle = await openFile(file);
  try {
    return await withMetadata(context, metadata =>
      withData(context, async data => {
        const bucket = await bucketOf(metadata, path.bucket);
        if (bucket.serverSideEncryption !== null)
          throw new ToolError(`${bucket.name}: it is encrypted: store it through S3`);
        refuseNullVersions(bucket, await current(metadata, path));
        const stored = await storeBytes(data, handle);
        const versionId = await name({ metadata, data, bucket, path, contentType, stored });
        context.output.result(
          { event: 'stored', ...path, versionId, ...stored },
          `${path.bucket}/${path.key}: ${stored.size} bytes${versionId === undefined ? '' : `, version ${JSON.stringify(versionId)}`}`,
        );
        return EXIT.sound;
      }),
    );
  } finally {
    await handle.close();
  }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    const handle = await open(file, 'r');
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch (err) {
    throw new ToolError(`${file}: cannot be read (${messageOf(err)})`, { cause: err });
  }
  throw new ToolError(`${file}: expected a file`);
}

/** A null version that must be kept, or goes, takes several steps, which S3 makes. */
function refuseNullVersions({ name: bucket, versioningConfiguration }: BucketAttributes, now: Current): void {
  if (versioningConfiguration === null) return;
  if (versioningConfiguration.Status !== 'Enabled')
    throw new ToolError(`${bucket}: its versioning is suspended: store it through S3`);
  if (now !== undefined && (now.value.versionId === undefined || now.value.isNull === true))
    throw new ToolError(`${bucket}: what is there is a null version: store it through S3`);
}

type Current = { readonly text: string; readonly value: ObjectValue } | undefined;

async function current(metadata: MetadataClient, { bucket, key }: ObjectPath): Promise<Current> {
  const text = await metadata.get(bucket, key);
  return text === undefined ? undefined : { text, value: JSON.parse(text) as ObjectValue };
}

/** On stable storage when it resolves. */
async function storeBytes(data: BlobClient, handle: FileHandle): Promise<Stored> {
  const { size } = await handle.stat();
  const hash = createHash('md5');
  const bytes = async function* (): AsyncGenerator<Buffer, void, undefined> {
    if (size === 0) return;
    for await (const piece of handle.createReadStream({ start: 0, end: size - 1, autoClose: false })) {
      hash.update(piece as Buffer);
      yield piece as Buffer;
    }
  };
  const blob = size === 0 ? undefined : await data.put(bytes(), size);
  return { blob, size, md5: hash.digest('hex') };
}

/** Names the blob by the object; resolves with the version's id, where there is one. What it replaces goes after that. */
async function name({
  metadata,
  data,
  bucket,
  path,
  contentType,
  stored: { blob, size, md5 },
}: {
  readonly metadata: MetadataClient;
  readonly data: BlobClient;
  readonly bucket: BucketAttributes;
  readonly path: ObjectPath;
  readonly contentType: string;
  readonly stored: Stored;
}): Promise<string | undefined> {
  let mayBeNamed = false;
  try {
    const before = await current(metadata, path);
    refuseNullVersions(bucket, before);
    const value = newObjectValue({
      account: { canonicalId: bucket.owner, displayName: bucket.ownerDisplayName, accountId: '' },
      key: path.key,
      size,
      md5,
      headers: { ...NO_CONTENT_HEADERS, contentType },
      location: blob === undefined ? null : [newLocation(blob, size, md5)],
      tags: {},
      dataStoreName: bucket.locationConstraint ?? DEFAULT_LOCATION,
      originOp: 's3:ObjectCreated:Put',
      now: new Date(),
      creationTime: before?.value['creation-time'] ?? before?.value['last-modified'],
      isDeleteMarker: false,
      nullVersionId: before?.value.nullVersionId,
      checksum: undefined,
    });
    const text = JSON.stringify(value);
    const isVersioned = bucket.versioningConfiguration !== null;
    const freed = isVersioned || before === undefined ? [] : freedBy(before.text);
    mayBeNamed = true;
    if (isVersioned) return await metadata.putVersion(path.bucket, path.key, text);
    const expected = [{ sha256: before === undefined ? null : sha256Of(before.text) }];
    mayBeNamed = await metadata.compareAndSwap(path.bucket, path.key, expected, [{ value: text }]);
    if (!mayBeNamed)
      throw new ToolError(`${path.bucket}/${path.key}: somebody else changed it at the same time: try again`);
    await removeBlobs(data, freed);
    return undefined;
  } catch (err) {
    // Of a change that was not answered nobody knows whether it names the blob. One that stays is found by `orphans`.
    if (!mayBeNamed && blob !== undefined) await data.delete(blob).catch(() => undefined);
    throw err;
  }
}
