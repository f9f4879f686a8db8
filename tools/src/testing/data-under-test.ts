/** A data module over the disk store, whose files a test can change behind its back. */
import { readFile, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import { readSettings } from '@zenko-modules/common/settings';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { startDataModule } from '@zenko-modules/data-module/data-module';
import { DATA_SETTINGS } from '@zenko-modules/data-module/data-settings';
import { blobFile } from '@zenko-modules/data-module/stores/disk/disk-layout';
import type { Environment } from './run-tool.js';

export class DataUnderTest {
  readonly #url: string;
  readonly #folder: string;
  /** For the tool. */
  readonly env: Environment;

  private constructor(folder: string, port: number) {
    this.#url = `http://127.0.0.1:${port}/DataFile`;
    this.#folder = folder;
    this.env = { DATA_PORT: String(port) };
  }

  static async start(t: TestContext, more: Environment = {}): Promise<DataUnderTest> {
    const folder = await temporaryFolder(t);
    const env = { DATA_DIR: folder, DATA_PORT: '0', DATA_PROBE_PORT: '0', DATA_WORKERS: '1', ...more };
    const running = await startDataModule(readSettings(DATA_SETTINGS, env), silentLogger(), env);
    t.after(() => running.close());
    return new DataUnderTest(path.join(folder, 'data'), running.ports.DATA_PORT ?? 0);
  }

  /** Resolves with the key. */
  async put(body: string): Promise<string> {
    const answer = await fetch(this.#url, { method: 'PUT', body });
    return String(answer.headers.get('location')).replace('/DataFile/', '');
  }

  /** The same, stored so long ago. */
  async putOld(body: string, hours = 48): Promise<string> {
    const key = await this.put(body);
    const time = new Date(Date.now() - hours * 3_600_000);
    await utimes(blobFile(this.#folder, key), time, time);
    return key;
  }

  async has(key: string): Promise<boolean> {
    return (await fetch(`${this.#url}/${key}`, { method: 'HEAD' })).status === 200;
  }

  async lose(key: string): Promise<void> {
    await rm(blobFile(this.#folder, key));
  }

  /** Turns one bit of a blob over. */
  async flipBit(key: string): Promise<void> {
    const file = blobFile(this.#folder, key);
    const bytes = await readFile(file);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    await writeFile(file, bytes);
  }
}
