/** Flipped bits in the packed store's segments and hint files. */
import path from 'node:path';
import { ask } from '../ask.js';
import { damagedStore } from '../damaged-store.js';
import { Finding } from '../target.js';

export const packedFiles = damagedStore<Buffer>({
  name: 'packed-files',
  about: "flipped bits in the packed store's segments and hint files",
  entry: 'data-module/dist/main.js',
  env: folder => ({
    DATA_DIR: folder,
    DATA_BACKEND: 'packed',
    DATA_PORT: '0',
    DATA_PROBE_PORT: '0',
    DATA_WORKERS: '1',
    PACKED_SEGMENT_BYTES: '1048576',
    LOG_LEVEL: 'warn',
  }),
  isDamaged: file => !/lock|owner/i.test(file),
  // The first ends in order, and leaves hints.
  runs: [
    { count: 30, end: 'SIGTERM' },
    { count: 15, end: 'SIGKILL' },
  ],
  connect: ({ DATA_PORT: port = 0 }) => {
    const url = `http://127.0.0.1:${port}/DataFile`;
    return {
      store: async (run, number) => {
        const body = Buffer.from(`${run}/${number} `.repeat(number * 1000 + 1));
        const { headers } = await ask(url, 'PUT', body);
        return [path.basename(headers.location ?? ''), body];
      },
      verify: async stored => {
        for (const [key, body] of stored) await verify(`${url}/${key}`, key, body);
      },
      close: () => undefined,
    };
  },
});

async function verify(url: string, key: string, body: Buffer): Promise<void> {
  const { status, body: got } = await ask(url);
  // A connection that is cut says that the blob is not whole.
  if (status >= 500 || got === undefined) return;
  if (status !== 200) throw new Finding(`${key} is answered with ${status}`);
  if (!got.equals(body)) throw new Finding(`${key} came with other bytes`);
}
