/** Flipped bits in what jsondown and leveldown keep. */
import path from 'node:path';
import { isErrorType } from '@zenko-modules/common/errors';
import { RpcClient, RpcStream } from '@zenko-modules/rpc/client';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import { damagedStore } from '../damaged-store.js';
import { Finding, type Target } from '../target.js';

const BUCKET = 'bucket';

export const metadataFiles = (backend: 'jsondown' | 'leveldown'): Target =>
  damagedStore<string>({
    name: `${backend}-files`,
    about: `flipped bits in the files of ${backend}`,
    entry: 'metadata-module/dist/main.js',
    env: folder => ({
      DATA_DIR: folder,
      METADATA_BACKEND: backend,
      METADATA_PORT: '0',
      METADATA_PROBE_PORT: '0',
      LOG_LEVEL: 'warn',
      // So that there is a snapshot as well as a journal.
      ...(backend === 'jsondown' && { JSONDOWN_JOURNAL_BYTES: '8192' }),
    }),
    isDamaged: file => !/^(LOG|LOCK)/.test(path.basename(file)) && !/lock/i.test(file),
    runs: [
      { count: 60, end: 'SIGKILL' },
      { count: 25, end: 'SIGKILL' },
    ],
    connect: ({ METADATA_PORT: port = 0 }) => {
      const client = new RpcClient({
        url: `http://127.0.0.1:${port}`,
        namespace: METADATA_NAMESPACE,
        callTimeoutMs: 10_000,
      });
      return {
        store: async (run, number) => {
          const key = `key-${String(number).padStart(3, '0')}`;
          const value = JSON.stringify({ run, number, text: `${number} `.repeat(20) });
          await client.call('put', { rpcArgs: [key, value, {}], subLevel: [BUCKET] });
          return [key, value];
        },
        verify: stored => verify(client, stored),
        close: () => client.close(),
      };
    },
  });

/** An error is an answer that says that something is wrong; a value that is not the one is none. */
async function verify(client: RpcClient, stored: ReadonlyMap<string, string>): Promise<void> {
  for (const [key, value] of stored) {
    let found: unknown;
    try {
      found = await client.call('get', { rpcArgs: [key, {}], subLevel: [BUCKET] });
    } catch (err) {
      if (isErrorType(err, 'ObjNotFound')) throw new Finding(`${key} is said not to exist`);
      if (isErrorType(err, 'InternalError')) continue;
      throw err;
    }
    if (found !== value) throw new Finding(`${key} came as ${String(found)}, and was ${value}`);
  }
  const listed = new Map<string, unknown>();
  try {
    const stream = await client.call('createReadStream', { rpcArgs: [{}], subLevel: [BUCKET] });
    if (!(stream instanceof RpcStream)) throw new Finding('the listing is no stream');
    for await (const item of stream) {
      const { key, value } = item as { key: string; value: unknown };
      listed.set(key, value);
    }
  } catch (err) {
    if (isErrorType(err, 'InternalError')) return;
    throw err;
  }
  for (const [key, value] of stored) {
    if (listed.get(key) !== value) throw new Finding(`${key} is listed as ${String(listed.get(key))}`);
  }
  if (listed.size !== stored.size) throw new Finding(`${listed.size} keys are listed of ${stored.size}`);
}
