/** A metadata module over leveldown, whose store a test can change behind its back. */
import path from 'node:path';
import type { TestContext } from 'node:test';
import { httpUrl } from '@zenko-modules/common/http-url';
import { RpcClient, RpcStream } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE, RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import {
  closeLevel,
  openLevel,
  readEntries,
  writeBatch,
} from '@zenko-modules/metadata-module/leveldowns/level-calls';
import { leveldown } from '@zenko-modules/metadata-module/leveldowns/leveldown-binding';
import { type ModuleUnderTest, startModule } from '@zenko-modules/metadata-module/testing/start-module';
import type { Environment } from './run-tool.js';

export type Change =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string };

export class MetadataUnderTest {
  readonly #t: TestContext;
  readonly folder: string;
  readonly #moduleEnv: Environment;
  #module: ModuleUnderTest;
  #rpc: RpcClient | undefined;

  private constructor(t: TestContext, folder: string, moduleEnv: Environment, module: ModuleUnderTest) {
    this.#t = t;
    this.folder = folder;
    this.#moduleEnv = moduleEnv;
    this.#module = module;
    t.after(() => this.#rpc?.close());
  }

  static async start(t: TestContext, moduleEnv: Environment = {}): Promise<MetadataUnderTest> {
    const folder = await temporaryFolder(t);
    const env = { DATA_DIR: folder, ...moduleEnv };
    return new MetadataUnderTest(t, folder, env, await startModule(t, env));
  }

  /** For the tool. */
  get env(): Environment {
    return { METADATA_PORT: new URL(this.#module.metadataUrl).port };
  }

  call(database: string, name: string, ...rpcArgs: readonly unknown[]): Promise<unknown> {
    this.#rpc ??= new RpcClient({
      url: httpUrl('127.0.0.1', this.env.METADATA_PORT ?? ''),
      namespace: METADATA_NAMESPACE,
    });
    return this.#rpc.call(name, { rpcArgs, subLevel: database === '' ? [] : [database] });
  }

  /** Reads the record log to its end. Resolves with the number of records. */
  async readLog(options: object): Promise<number> {
    const rpc = new RpcClient({
      url: httpUrl('127.0.0.1', this.env.METADATA_PORT ?? ''),
      namespace: RECORD_LOG_NAMESPACE,
    });
    try {
      const { log } = (await rpc.call('readRecords', { rpcArgs: [options], subLevel: [] })) as {
        log: RpcStream;
      };
      let records = 0;
      for await (const item of log) records += item === undefined ? 0 : 1;
      return records;
    } finally {
      rpc.close();
    }
  }

  /** Resolves with the version's id, where there is one. */
  async put(database: string, key: string, value: object, options: object = {}): Promise<string> {
    const answer = await this.call(database, 'put', key, JSON.stringify(value), options);
    return typeof answer === 'string' ? (JSON.parse(answer) as { versionId: string }).versionId : '';
  }

  /** Every entry of a database as it is stored. */
  async entries(database: string): Promise<[string, string][]> {
    const stream = await this.call(database, 'createReadStream', {});
    const found: [string, string][] = [];
    for await (const item of stream as RpcStream) {
      const { key, value } = item as { key: string; value: string };
      found.push([key, value]);
    }
    return found;
  }

  /** Stops the module, writes to its store past it, without records of the log, and starts it again. */
  async damage(changes: readonly Change[]): Promise<void> {
    await this.stop();
    const level = leveldown(path.join(this.folder, 'metadata', 'rootDB'));
    await openLevel(level);
    await writeBatch(level, changes);
    await closeLevel(level);
    await this.restart({ METADATA_ACCEPT_LOSS: 'true' });
  }

  /** The store's keys that begin so. The module is stopped for it. */
  async rawKeys(prefix: string): Promise<string[]> {
    await this.stop();
    const level = leveldown(path.join(this.folder, 'metadata', 'rootDB'));
    await openLevel(level);
    const keys: string[] = [];
    for await (const { key } of readEntries(level, { gte: prefix, lt: `${prefix}\xff`, values: false }))
      keys.push(key.toString());
    await closeLevel(level);
    await this.restart();
    return keys;
  }

  async stop(): Promise<void> {
    this.#rpc?.close();
    this.#rpc = undefined;
    await this.#module.close();
  }

  async restart(more: Environment = {}): Promise<void> {
    this.#module = await startModule(this.#t, { ...this.#moduleEnv, ...more });
  }
}
