/** The metadata module, as the tools read it: whole databases, while it serves. */
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { CatalogueError, isErrorType, messageOf } from '@zenko-modules/common/errors';
import { httpUrl } from '@zenko-modules/common/http-url';
import type { ModuleAddress } from '@zenko-modules/common/network/module-address';
import { RpcClient, RpcStream } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { RECORD_LOGS_DATABASE } from '@zenko-modules/metadata-module/record-log/record';
import type { Database } from '@zenko-modules/metadata-module/store/key-space';
import type {
  EntryName,
  ExpectedEntry,
  NewEntry,
} from '@zenko-modules/metadata-module/versioning/compare-and-swap';
import { ToolError } from '../command/exit-code.js';

/** A listing that was cut off is gone on with so often in a row without having come further. */
const RESUMPTIONS = 5;
const RESUME_AFTER_MS = 500;
const CONNECT_MS = 5000;

export interface Entry {
  /** With the version: `<key>\0<versionId>`. */
  readonly key: string;
  readonly value: string;
}

export interface EntryRange {
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly lte?: string;
}

export interface MetadataClientOptions extends ModuleAddress {
  /** Ends what is under way. */
  readonly signal: AbortSignal;
}

/** Every method rejects with a `CatalogueError`: `ServiceUnavailable` when the module does not answer in time. */
export class MetadataClient {
  readonly #rpc: RpcClient;
  readonly #signal: AbortSignal;

  private constructor(options: MetadataClientOptions) {
    this.#rpc = new RpcClient({
      url: httpUrl(options.host, options.port, options.tls && 'https'),
      tls: options.tls,
      namespace: METADATA_NAMESPACE,
    });
    this.#signal = options.signal;
  }

  /** @throws ToolError when there is no module that answers. */
  static async connect(options: MetadataClientOptions): Promise<MetadataClient> {
    const client = new MetadataClient(options);
    try {
      await withDeadline(client.uuid(), CONNECT_MS, 'the answer of the metadata module');
      return client;
    } catch (err) {
      client.close();
      const { host, port, tls } = options;
      throw new ToolError(
        `METADATA_HOST, ${tls ? 'METADATA_TLS_PORT' : 'METADATA_PORT'}: cannot reach the metadata module at ${host}:${port} (${messageOf(err)})`,
        { cause: err },
      );
    }
  }

  close(): void {
    this.#rpc.close();
  }

  /**
   * The names of all databases that hold something, in byte order; not the record log, nor what the module keeps for itself.
   * @param onStray told of each key that belongs to no database, a damaged one say
   * @throws ToolError for such a key, when nobody is told
   */
  async *databases(onStray: (rawKey: string) => void = refuseStray): AsyncGenerator<string, void, undefined> {
    for (let from = ''; ;) {
      const stream = await this.#call('rawListKeys', [], [{ gte: from, limit: 1 }]);
      let rawKey: unknown;
      for await (const item of streamIn('rawListKeys', stream)) rawKey = item;
      if (typeof rawKey !== 'string') return;
      const name = /^!([^!]*)!/.exec(rawKey)?.[1];
      if (name === undefined) {
        onStray(rawKey);
        from = `${rawKey}\0`;
        continue;
      }
      if (name.split('#', 1)[0] !== RECORD_LOGS_DATABASE) yield name;
      from = `!${name}"`;
    }
  }

  /** The keys of one of the databases that the module keeps for itself. */
  async *keysOf(database: Database): AsyncGenerator<string, void, undefined> {
    const range = { gte: database.keyOf(''), lt: `!${database.name}"` };
    const stream = await this.#call('rawListKeys', [], [range]);
    for await (const rawKey of streamIn('rawListKeys', stream)) yield database.nameOf(String(rawKey));
  }

  /**
   * The entries of a database, in byte order. A listing that was cut off is gone on with after the last entry: an entry
   * that was changed meanwhile shows the one or the other.
   */
  async *entries(database: string, range: EntryRange = {}): AsyncGenerator<Entry, void, undefined> {
    let rest = range;
    for (let failures = 0; ;) {
      try {
        const stream = await this.#call('createReadStream', path(database), [rest]);
        for await (const item of streamIn('createReadStream', stream)) {
          this.#signal.throwIfAborted();
          const entry = item as Entry;
          yield entry;
          rest = { ...withoutStart(range), gt: entry.key };
          failures = 0;
        }
        return;
      } catch (err) {
        this.#signal.throwIfAborted();
        if (!isErrorType(err, 'ServiceUnavailable') || ++failures > RESUMPTIONS) throw err;
        await sleep(RESUME_AFTER_MS, this.#signal);
      }
    }
  }

  /** The stored text of a master or a version; `undefined` when there is none. A master that is a place holder is repaired by it. */
  async get(database: string, key: string, { versionId }: EntryName = {}): Promise<string | undefined> {
    try {
      const options = versionId === undefined ? {} : { versionId };
      const stored = await this.#call('get', path(database), [key, options]);
      return typeof stored === 'string' ? stored : undefined;
    } catch (err) {
      if (isErrorType(err, 'ObjNotFound')) return undefined;
      throw err;
    }
  }

  /** Makes a new version and its master. Resolves with the version's id. */
  async putVersion(database: string, key: string, value: string): Promise<string | undefined> {
    const answer = await this.#call('put', path(database), [key, value, { versioning: true }]);
    const parsed = typeof answer === 'string' ? (JSON.parse(answer) as { versionId?: unknown }) : {};
    return typeof parsed.versionId === 'string' ? parsed.versionId : undefined;
  }

  /** Removes one version; the next one becomes the master where it was. */
  async deleteVersion(database: string, key: string, versionId: string): Promise<void> {
    await this.#call('del', path(database), [key, { versionId }]);
  }

  /** See `VersionedDatabases.compareAndSwap` of the module. */
  async compareAndSwap(
    database: string,
    key: string,
    expected: readonly ExpectedEntry[],
    replacements: readonly NewEntry[],
  ): Promise<boolean> {
    const answer = await this.#call('compareAndSwap', path(database), [key, expected, replacements]);
    return (answer as { swapped?: unknown } | undefined)?.swapped === true;
  }

  /** The deployment's id. */
  async uuid(): Promise<string> {
    return String(await this.#call('getUUID', [], []));
  }

  async #call(name: string, subLevel: readonly string[], rpcArgs: readonly unknown[]): Promise<unknown> {
    this.#signal.throwIfAborted();
    return this.#rpc.call(name, { rpcArgs, subLevel });
  }
}

function refuseStray(rawKey: string): never {
  throw new ToolError(
    `the store holds the key ${JSON.stringify(rawKey)}, which belongs to no database: what it names is not known. ` +
      'verify shows all such keys, and a backup that is restored is without them',
  );
}

function path(database: string): string[] {
  return database === '' ? [] : database.split('#');
}

function withoutStart({ lt, lte }: EntryRange): EntryRange {
  return { ...(lt !== undefined && { lt }), ...(lte !== undefined && { lte }) };
}

function streamIn(call: string, answer: unknown): RpcStream {
  if (answer instanceof RpcStream) return answer;
  throw new CatalogueError('InternalError', `the metadata module answered ${call} with something else`);
}
