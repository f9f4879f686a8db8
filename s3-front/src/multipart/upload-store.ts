/** Multipart uploads in the metadata module. */
import { SHADOW_BUCKET_PREFIX, shadowBucket } from '../bucket-attributes.js';
import type { MetadataClient, StoredEntry, StoredItem } from '../metadata-client.js';
import type { Front } from '../operations/operation.js';
import { S3Error } from '../s3-errors.js';
import {
  type NumberedPart,
  overviewKey,
  type Part,
  partKey,
  readPartKey,
  type Upload,
} from './upload-values.js';

/** What a request says of an upload. */
export interface UploadName {
  readonly bucket: string;
  readonly key: string;
  readonly uploadId: string;
}

export function shadowOf(bucket: string): string {
  return SHADOW_BUCKET_PREFIX + bucket;
}

export class UploadStore {
  readonly #metadata: MetadataClient;
  readonly #reqUids: string;

  /** @param reqUids ids of the request that causes what is done here */
  constructor({ metadata }: Pick<Front, 'metadata'>, reqUids: string) {
    this.#metadata = metadata;
    this.#reqUids = reqUids;
  }

  /** Stores an upload that begins, or a changed one; makes the shadow bucket when there is none. */
  async put(bucket: string, upload: Upload): Promise<StoredEntry> {
    const shadow = shadowOf(bucket);
    const attributes = await this.#metadata.getBucket(shadow, this.#reqUids);
    if (!attributes) await this.#metadata.putBucket(shadowBucket(bucket, upload), this.#reqUids);
    const entry = overviewKey(upload.key, upload.uploadId);
    return this.#metadata.putEntry(shadow, entry, upload, { isPart: false }, this.#reqUids);
  }

  /** @throws S3Error NoSuchUpload, also for one that is being aborted */
  async get(name: UploadName): Promise<Upload> {
    const upload = await this.find(name);
    if (!upload || upload.abortInProgress === true) throw new S3Error('NoSuchUpload');
    return upload;
  }

  async find({ bucket, key, uploadId }: UploadName): Promise<Upload | undefined> {
    const entry = overviewKey(key, uploadId);
    return (await this.#metadata.getEntry(shadowOf(bucket), entry, this.#reqUids)) as Upload | undefined;
  }

  async delete({ bucket, key, uploadId }: UploadName): Promise<void> {
    await this.#metadata.deleteEntry(shadowOf(bucket), overviewKey(key, uploadId), this.#reqUids);
  }

  async findPart({ bucket, uploadId }: UploadName, number: number): Promise<Part | undefined> {
    const entry = partKey(uploadId, number);
    return (await this.#metadata.getEntry(shadowOf(bucket), entry, this.#reqUids)) as Part | undefined;
  }

  async putPart({ bucket, uploadId }: UploadName, number: number, part: Part): Promise<void> {
    const entry = partKey(uploadId, number);
    await this.#metadata.putEntry(shadowOf(bucket), entry, part, { isPart: true }, this.#reqUids);
  }

  async deletePart(bucket: string, key: string): Promise<void> {
    await this.#metadata.deleteEntry(shadowOf(bucket), key, this.#reqUids);
  }

  /** In order of their numbers. @param after the number behind which to begin */
  async *parts({ bucket, uploadId }: UploadName, after = 0): AsyncGenerator<NumberedPart, void, undefined> {
    const range = { gt: partKey(uploadId, after), lt: partKey(uploadId, 99_999) };
    for await (const { key, value } of this.read(bucket, range)) {
      const name = readPartKey(key);
      if (name) yield { number: name.number, part: JSON.parse(value) as Part };
    }
  }

  read(
    bucket: string,
    range: { gt?: string; gte?: string; lt?: string },
  ): AsyncGenerator<StoredItem, void, undefined> {
    return this.#metadata.read(shadowOf(bucket), range, this.#reqUids);
  }
}

/** Runs `work` while the upload stays as it is, apart from its parts. */
export function withUpload<T>({ locks }: Front, uploadId: string, work: () => Promise<T>): Promise<T> {
  return locks.shared(lockOf(uploadId), work);
}

/** Runs `work` while nobody else does anything with the upload. */
export function holdUpload<T>({ locks }: Front, uploadId: string, work: () => Promise<T>): Promise<T> {
  return locks.exclusive(lockOf(uploadId), work);
}

/** No bucket has a colon in its name. */
function lockOf(uploadId: string): string {
  return `upload:${uploadId}`;
}

export function holdPart<T>(
  { locks }: Front,
  uploadId: string,
  number: number,
  work: () => Promise<T>,
): Promise<T> {
  return locks.exclusive(`part:${partKey(uploadId, number)}`, work);
}
