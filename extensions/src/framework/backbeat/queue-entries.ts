/** Backbeat's `QueueEntry` and `ObjectQueueEntry`: entries of the record log with getters. */
import {
  encodeVersionId,
  isSystemDatabase,
  objectKeyOf,
  type ObjectValue,
  parseObjectValue,
} from '../contract/object-event.js';
import { type LogEntry, parseEntry } from '../contract/queue-populator-extension.js';
import { messageOf } from '@zenko-modules/common/errors';

/** Where a part of an object lies. */
export type Location = Readonly<Record<string, unknown>>;

export interface EntryError {
  readonly error: Error;
}

/** A put or a deletion of an object, a version or a master. */
export class ObjectQueueEntry {
  readonly #bucket: string;
  readonly #key: string;
  readonly #value: ObjectValue;

  /** @param value the object's metadata; for a deletion nothing. */
  constructor(bucket: string, key: string, value: ObjectValue | string = {}) {
    this.#bucket = bucket;
    this.#key = key;
    this.#value = typeof value === 'string' ? parseObjectValue(value) : value;
  }

  getBucket(): string {
    return this.#bucket;
  }

  /** The key in the database, with the version id when it is a version's. */
  getObjectVersionedKey(): string {
    return this.#key;
  }

  getObjectKey(): string {
    return objectKeyOf(this.#key);
  }

  /** `true` for a version's own key, `false` for a master's. */
  isVersion(): boolean {
    return this.getObjectKey() !== this.#key;
  }

  isMasterKey(): boolean {
    return !this.isVersion();
  }

  /** `<bucket>/<object key>`, as it is given to `publish`. */
  getCanonicalKey(): string {
    return `${this.#bucket}/${this.getObjectKey()}`;
  }

  /** The version id as it is stored. */
  getVersionId(): string | undefined {
    return this.#value.versionId;
  }

  /** The version id as S3 takes it; `null` for a null version. */
  getEncodedVersionId(): string | undefined {
    if (this.#value.isNull === true) return 'null';
    const { versionId } = this.#value;
    return versionId === undefined ? undefined : encodeVersionId(versionId);
  }

  getIsNull(): boolean {
    return this.#value.isNull === true;
  }

  getIsDeleteMarker(): boolean {
    return this.#value.isDeleteMarker === true;
  }

  isDeleteMarker(): boolean {
    return this.getIsDeleteMarker();
  }

  getTags(): Readonly<Record<string, string>> {
    return this.#value.tags ?? {};
  }

  getContentLength(): number | undefined {
    return this.#value['content-length'];
  }

  getContentType(): string | undefined {
    return this.#value['content-type'];
  }

  getContentMd5(): string | undefined {
    return this.#value['content-md5'];
  }

  getLastModified(): string | undefined {
    return this.#value['last-modified'];
  }

  getOwnerId(): string | undefined {
    return this.#value['owner-id'];
  }

  getOwnerDisplayName(): string | undefined {
    return this.#value['owner-display-name'];
  }

  getOriginOp(): string | undefined {
    return this.#value.originOp;
  }

  getDataStoreName(): string | undefined {
    const { dataStoreName } = this.#value;
    return typeof dataStoreName === 'string' ? dataStoreName : undefined;
  }

  /** The parts of its content; none for an empty object. */
  getLocation(): readonly Location[] {
    const { location } = this.#value;
    return Array.isArray(location) ? (location as readonly Location[]) : [];
  }

  getUserMetadata(): Readonly<Record<string, string>> {
    const own = Object.entries(this.#value).filter(([name]) => name.startsWith('x-amz-meta-'));
    return Object.fromEntries(own.map(([name, value]) => [name, String(value)]));
  }

  /** The object's metadata. */
  getValue(): ObjectValue {
    return this.#value;
  }

  /** The same as JSON. */
  getSerialized(): string {
    return JSON.stringify(this.#value);
  }

  /** What tells the entry in a line of the log. */
  getLogInfo(): Readonly<Record<string, unknown>> {
    return {
      bucket: this.getBucket(),
      objectKey: this.getObjectKey(),
      versionId: this.getVersionId(),
      isDeleteMarker: this.getIsDeleteMarker(),
    };
  }

  /** @returns an error when it cannot be an object's entry. */
  checkSanity(): Error | undefined {
    if (typeof this.#bucket !== 'string' || this.#bucket === '') return new Error('bucket: expected a text');
    if (typeof this.#key !== 'string' || this.#key === '') return new Error('key: expected a text');
    return undefined;
  }
}

/** The deletion of a key: what it had is not told. */
export class DeleteOpQueueEntry extends ObjectQueueEntry {
  override getLogInfo(): Readonly<Record<string, unknown>> {
    return { ...super.getLogInfo(), type: 'del' };
  }
}

export type AnyEntry = ObjectQueueEntry | DeleteOpQueueEntry | EntryError;

/** Makes entries of what a filter or a processor gets. */
export const QueueEntry = {
  /** @returns `{ error }`, as in Backbeat, when it tells of no object. */
  create(entry: LogEntry): AnyEntry {
    try {
      const { type, bucket, key, value } = entry;
      if (isSystemDatabase(bucket)) throw new Error(`${bucket} is no bucket of a client`);
      const made =
        type === 'del' || value === undefined
          ? new DeleteOpQueueEntry(bucket, key)
          : new ObjectQueueEntry(bucket, key, value);
      const error = made.checkSanity();
      return error ? { error } : made;
    } catch (err) {
      return { error: err instanceof Error ? err : new Error(messageOf(err)) };
    }
  },

  /** The entry of a message whose filter published it as JSON. @returns `{ error }` when it holds none. */
  createFromKafkaEntry({ value }: { readonly value: string | Buffer }): AnyEntry {
    try {
      return QueueEntry.create(parseEntry(value.toString()));
    } catch (err) {
      return { error: err instanceof Error ? err : new Error(messageOf(err)) };
    }
  },
} as const;
