/** Buckets and objects in the metadata module, over the RPC and in the databases that CloudServer uses. */
import { sleep } from '@zenko-modules/common/deadline';
import { CatalogueError, isErrorType } from '@zenko-modules/common/errors';
import { httpUrl } from '@zenko-modules/common/http-url';
import type { ModuleAddress } from '@zenko-modules/common/network/module-address';
import { RpcClient, type RpcStream } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import {
  type BucketAttributes,
  METASTORE,
  USERS_BUCKET,
  usersBucket,
  type UsersBucketEntry,
} from './bucket-attributes.js';
import {
  LISTED_MEMBERS,
  LISTED_WITHOUT_OWNER,
  type ListedEntry,
  type MembersItem,
  toListed,
} from './listing/listed-value.js';
import type { ObjectValue } from './object-value.js';
import { keepText, sha256Of, storedSha256 } from './stored-text.js';

const CONNECTION_POLL_MS = 20;

/** Members that CloudServer asks the module to keep beside a value; the module does not need them. */
const OVERHEAD = {
  overheadField: ['content-length', 'owner-id', 'versionId', 'isNull', 'isDeleteMarker'],
} as const;

/** The module was away when a call was to be made: nothing has been asked of it. */
export class ModuleAwayError extends CatalogueError {
  constructor() {
    super('ServiceUnavailable', 'the metadata module is not connected');
  }
}

/** True when a change that failed with `err` has not been made and will not be. */
export function surelyNotMade(err: unknown): boolean {
  return (
    err instanceof ModuleAwayError ||
    isErrorType(err, 'InvalidArgument', 'NotImplemented', 'PreconditionFailed')
  );
}

export interface KeyRange {
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
}

export interface StoredItem {
  readonly key: string;
  readonly value: string;
}

/** How a version is named in a call; without, the newest is meant. */
export interface VersionOptions {
  readonly versionId?: string;
  /** It is the null version, and has no key of its id: it is the current value alone, or under the null key. */
  readonly isNull?: true;
}

export interface GetOptions extends VersionOptions {
  readonly deleteData?: true;
  readonly getDeleteMarker?: true;
}

/** A value in the place of one that was read, with the data of that one. */
export interface Update {
  /** The value of the key, as `getObject` or `getBucketAndObject` resolved with it. */
  readonly current: ObjectValue | undefined;
  /** What is replaced: that value, or a version of the key, read likewise. */
  readonly from: ObjectValue;
  readonly to: ObjectValue;
  /** How the call names what it stores. */
  readonly storedAs: VersionOptions;
}

export interface PutOptions extends VersionOptions {
  readonly versioning?: true;
  readonly deleteNullKey?: true;
  /** The multipart upload that the value comes from. */
  readonly replayId?: string;
}

/** An entry of a shadow bucket, as it was stored. */
export interface StoredEntry {
  readonly database: string;
  readonly key: string;
  readonly sha256: string;
}

/** What must be so when a put comes to the module, and it may be long after it was given up. */
export interface PutConditions {
  /** The value of the key, as it was read. */
  readonly current: ObjectValue | undefined;
  readonly entry?: StoredEntry | undefined;
}

/**
 * Every method takes the ids of the request that caused it, and rejects with `ServiceUnavailable` within
 * the call timeout when the module does not answer. A change is durable once its method has resolved; one
 * that was rejected may have been made all the same, unless `surelyNotMade` says otherwise.
 */
export class MetadataClient {
  readonly #rpc: RpcClient;
  /**
   * How long a call waits for the connection to come back before it is not made at all: with what is the default, as
   * long as a stand-by may take to follow an owner that died. Clients that try twice more outlast it.
   */
  readonly #connectionWaitMs: number;

  constructor(options: ModuleAddress & { readonly callTimeoutMs: number }) {
    this.#rpc = new RpcClient({
      url: httpUrl(options.host, options.port, options.tls && 'https'),
      tls: options.tls,
      namespace: METADATA_NAMESPACE,
      callTimeoutMs: options.callTimeoutMs,
    });
    this.#connectionWaitMs = options.callTimeoutMs / 2;
  }

  close(): void {
    this.#rpc.close();
  }

  // --- buckets ---

  /** The attributes of a bucket, in whatever state it is; `undefined` when there is none of this name. */
  async getBucket(name: string, reqUids: string): Promise<BucketAttributes | undefined> {
    const stored = await this.#get(METASTORE, name, {}, reqUids);
    return stored === undefined ? undefined : (parse(stored) as BucketAttributes);
  }

  async putBucket(bucket: BucketAttributes, reqUids: string): Promise<void> {
    await this.#call('put', METASTORE, [bucket.name, JSON.stringify(bucket), {}], reqUids);
  }

  async deleteBucket(name: string, reqUids: string): Promise<void> {
    await this.#call('del', METASTORE, [name, {}], reqUids);
  }

  /** Makes the bucket that lists each account's buckets, when it is not there yet. */
  async ensureUsersBucket(reqUids: string): Promise<void> {
    if (await this.getBucket(USERS_BUCKET, reqUids)) return;
    await this.putBucket(usersBucket(), reqUids);
  }

  async putUsersBucketEntry(key: string, entry: UsersBucketEntry, reqUids: string): Promise<void> {
    await this.#call('put', USERS_BUCKET, [key, JSON.stringify(entry), {}], reqUids);
  }

  async deleteUsersBucketEntry(key: string, reqUids: string): Promise<void> {
    await this.#call('del', USERS_BUCKET, [key, {}], reqUids);
  }

  // --- objects ---

  /** The value of an object, or of one of its versions; `undefined` when there is none. */
  async getObject(
    bucket: string,
    key: string,
    options: GetOptions,
    reqUids: string,
  ): Promise<ObjectValue | undefined> {
    const stored = await this.#get(bucket, key, options, reqUids);
    return stored === undefined ? undefined : objectOf(stored);
  }

  /** Both at once, in one call where the module has one for it. */
  async getBucketAndObject(
    bucket: string,
    key: string,
    options: GetOptions,
    reqUids: string,
  ): Promise<readonly [BucketAttributes | undefined, ObjectValue | undefined]> {
    await this.#connected();
    if (!(await this.#rpc.offers('getMany'))) {
      return Promise.all([this.getBucket(bucket, reqUids), this.getObject(bucket, key, options, reqUids)]);
    }
    const gets = [
      [[METASTORE], bucket, {}],
      [[bucket], key, options],
    ];
    const found = await this.#call('getMany', bucket, [gets], reqUids);
    const [attributes, value] = found as readonly (string | null)[];
    return [
      typeof attributes === 'string' ? (parse(attributes) as BucketAttributes) : undefined,
      typeof value === 'string' ? objectOf(value) : undefined,
    ];
  }

  /**
   * Stores an object's value as a whole. Resolves with the id of its version, where it has got one.
   * @throws CatalogueError PreconditionFailed, nothing stored, when the conditions do not hold; CloudServer's own daemon does
   *   not look at them
   */
  async putObject(
    bucket: string,
    key: string,
    value: ObjectValue,
    options: PutOptions,
    reqUids: string,
    conditions?: PutConditions,
  ): Promise<string | undefined> {
    const only = conditions && (await this.#compares()) ? conditionsOf(conditions) : {};
    const args = [key, JSON.stringify(value), { ...options, ...OVERHEAD, ...only }];
    const result = await this.#call('put', bucket, args, reqUids);
    if (typeof result !== 'string') return undefined;
    const { versionId } = parse(result) as { versionId?: unknown };
    return typeof versionId === 'string' ? versionId : undefined;
  }

  /**
   * Replaces the value of what is stored by a changed one; its content stays. Resolves with `false`, nothing changed, when the
   * key is not as it was read any more. That is so whenever the call comes to the module, and it may be long after it was
   * given up: a value that came then would name data that is gone. CloudServer's own daemon cannot compare, and stores it.
   * The new value counts as read then.
   */
  async updateObject(bucket: string, key: string, update: Update, reqUids: string): Promise<boolean> {
    const { current, from, to, storedAs } = update;
    const value = JSON.stringify(to);
    if (!(await this.#compares())) {
      await this.#call('put', bucket, [key, value, storedAs], reqUids);
      return true;
    }
    const { versionId, isNull } = storedAs;
    const isCurrent = from === current || (versionId !== undefined && versionId === current?.versionId);
    const expected = [
      ...(current ? [{ sha256: storedSha256(current) }] : []),
      ...(isCurrent ? [] : [{ versionId, sha256: storedSha256(from) }]),
    ];
    const stored = [
      ...(isCurrent ? [{ value }] : []),
      ...(versionId === undefined || isNull ? [] : [{ versionId, value }]),
    ];
    const isSwapped = await this.#swap(bucket, key, expected, stored, reqUids);
    if (isSwapped) keepText(to, value);
    return isSwapped;
  }

  /**
   * Deletes an object, or one of its versions, whose content goes with it.
   * @param seen the value of the key, as it was read: what is named by the key alone is deleted only while it is that.
   *   Resolves with `false` when it is not, as `updateObject`
   */
  async deleteObject(
    bucket: string,
    key: string,
    version: VersionOptions,
    reqUids: string,
    seen?: ObjectValue,
  ): Promise<boolean> {
    if (seen && version.versionId === undefined && (await this.#compares())) {
      return this.#swap(bucket, key, [{ sha256: storedSha256(seen) }], [{ value: null }], reqUids);
    }
    const options = { ...version, deleteData: true, ...OVERHEAD, doesNotNeedOpogUpdate: true };
    await this.#call('del', bucket, [key, options], reqUids);
    return true;
  }

  /** Deletes one version to make room for another of the same standing; its content stays for now. */
  async dropVersion(bucket: string, key: string, versionId: string, reqUids: string): Promise<void> {
    await this.#call('del', bucket, [key, { versionId }], reqUids);
  }

  // --- multipart uploads ---

  /** An entry of a shadow bucket; `undefined` when there is none. */
  async getEntry(database: string, key: string, reqUids: string): Promise<object | undefined> {
    const stored = await this.#get(database, key, {}, reqUids);
    return stored === undefined ? undefined : parse(stored);
  }

  async putEntry(
    database: string,
    key: string,
    value: object,
    { isPart }: { readonly isPart: boolean },
    reqUids: string,
  ): Promise<StoredEntry> {
    const text = JSON.stringify(value);
    await this.#call('put', database, [key, text, isPart ? OVERHEAD : {}], reqUids);
    return { database, key, sha256: sha256Of(text) };
  }

  async deleteEntry(database: string, key: string, reqUids: string): Promise<void> {
    await this.#call('del', database, [key, OVERHEAD], reqUids);
  }

  // --- listing ---

  /** Entries in byte order of their keys. Leaving the loop early tells the module to stop. */
  async *read(
    database: string,
    range: KeyRange,
    reqUids: string,
  ): AsyncGenerator<StoredItem, void, undefined> {
    for await (const items of this.readAtOnce(database, range, reqUids)) for (const item of items) yield item;
  }

  /** The same, many at once: as they come from the module. */
  async *readAtOnce(
    database: string,
    range: KeyRange,
    reqUids: string,
  ): AsyncGenerator<readonly StoredItem[], void, undefined> {
    const stream = await this.#call('createReadStream', database, [range], reqUids);
    yield* (stream as RpcStream).messages() as AsyncGenerator<readonly StoredItem[], void, undefined>;
  }

  /**
   * The same for a listing, which gets no more of each value than it shows. CloudServer's own daemon sends all of it.
   */
  async *readListed(
    database: string,
    range: KeyRange,
    reqUids: string,
    { withOwner }: { readonly withOwner: boolean },
  ): AsyncGenerator<readonly ListedEntry[], void, undefined> {
    await this.#connected();
    if (!(await this.#rpc.offers('readMembers'))) {
      yield* this.readAtOnce(database, range, reqUids);
      return;
    }
    const members = withOwner ? LISTED_MEMBERS : LISTED_WITHOUT_OWNER;
    const stream = await this.#call('readMembers', database, [range, { members }], reqUids);
    for await (const items of (stream as RpcStream).messages())
      yield (items as readonly (MembersItem | StoredItem)[]).map(toListed);
  }

  // --- calls ---

  async #get(database: string, key: string, options: object, reqUids: string): Promise<string | undefined> {
    try {
      const stored = await this.#call('get', database, [key, options], reqUids);
      if (typeof stored !== 'string') throw new CatalogueError('InternalError', `${key} has no value`);
      return stored;
    } catch (err) {
      if (isErrorType(err, 'ObjNotFound')) return undefined;
      throw err;
    }
  }

  async #compares(): Promise<boolean> {
    await this.#connected();
    return this.#rpc.offers('compareAndSwap');
  }

  async #swap(
    database: string,
    key: string,
    expected: readonly { readonly versionId?: string | undefined; readonly sha256: string | null }[],
    stored: readonly { readonly versionId?: string; readonly value: string | null }[],
    reqUids: string,
  ): Promise<boolean> {
    const answer = await this.#call('compareAndSwap', database, [key, expected, stored], reqUids);
    return (answer as { swapped?: unknown } | undefined)?.swapped === true;
  }

  async #call(
    name: string,
    database: string,
    rpcArgs: readonly unknown[],
    reqUids: string,
  ): Promise<unknown> {
    await this.#connected();
    return this.#rpc.call(name, { rpcArgs, reqUids, subLevel: [database] });
  }

  async #connected(): Promise<void> {
    const deadline = Date.now() + this.#connectionWaitMs;
    while (!this.#rpc.connected) {
      if (Date.now() > deadline) throw new ModuleAwayError();
      await sleep(CONNECTION_POLL_MS);
    }
  }
}

function objectOf(stored: string): ObjectValue {
  return keepText(parse(stored) as ObjectValue, stored);
}

/** As the options of a put. */
function conditionsOf({ current, entry }: PutConditions): object {
  return {
    ifCurrent: { sha256: current ? storedSha256(current) : null },
    ...(entry && { ifEntry: { subLevel: [entry.database], key: entry.key, sha256: entry.sha256 } }),
  };
}

function parse(stored: string): object {
  try {
    const value: unknown = JSON.parse(stored);
    if (typeof value === 'object' && value !== null) return value;
  } catch (err) {
    throw new CatalogueError('InternalError', 'a stored value is not JSON', { cause: err });
  }
  throw new CatalogueError('InternalError', 'a stored value is not an object');
}
