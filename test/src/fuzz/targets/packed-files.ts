/** Flipped bits in the packed store's segments and hint files. */
import path from 'node:path';
import { startDaemon } from '@zenko-modules/common/testing/daemon-process';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { ask } from '../ask.js';
import { damagedFiles } from '../damaged-files.js';
import { Finding, type Owner, type Target } from '../target.js';
import { entryOf } from '../watched-daemon.js';

const ENTRY = 'data-module/dist/main.js';
const RUNS = [30, 15];

export const packedFiles: Target = {
  name: 'packed-files',
  about: "flipped bits in the packed store's segments and hint files",
  open: async (owner, options) => {
    const template = await temporaryFolder(owner);
    const env = (folder: string): Record<string, string> => ({
      DATA_DIR: folder,
      DATA_BACKEND: 'packed',
      DATA_PORT: '0',
      DATA_PROBE_PORT: '0',
      DATA_WORKERS: '1',
      PACKED_SEGMENT_BYTES: '1048576',
      LOG_LEVEL: 'warn',
    });
    const stored = await fill(owner, env(template));
    return damagedFiles(
      owner,
      template,
      {
        entry: ENTRY,
        env,
        isDamaged: file => !/lock|owner/i.test(file),
        verify: async ({ DATA_PORT: port = 0 }) => {
          for (const [key, body] of stored) await verify(port, key, body);
        },
      },
      options,
    );
  },
};

/** Two runs: the first ends in order, and leaves hints; the second is killed. */
async function fill(owner: Owner, env: Readonly<Record<string, string>>): Promise<Map<string, Buffer>> {
  const stored = new Map<string, Buffer>();
  for (const [run, count] of RUNS.entries()) {
    const daemon = await startDaemon(owner, { entry: entryOf(ENTRY), env });
    for (let number = 0; number < count; number += 1) {
      const body = Buffer.from(`${run}/${number} `.repeat(number * 1000 + 1));
      const url = `http://127.0.0.1:${daemon.ports.DATA_PORT ?? 0}/DataFile`;
      const { headers } = await ask(url, 'PUT', body);
      stored.set(path.basename(headers.location ?? ''), body);
    }
    await daemon.kill(run === 0 ? 'SIGTERM' : 'SIGKILL');
  }
  return stored;
}

async function verify(port: number, key: string, body: Buffer): Promise<void> {
  const { status, body: got } = await ask(`http://127.0.0.1:${port}/DataFile/${key}`);
  // A connection that is cut says that the blob is not whole.
  if (status >= 500 || got === undefined) return;
  if (status !== 200) throw new Finding(`${key} is answered with ${status}`);
  if (!got.equals(body)) throw new Finding(`${key} came with other bytes`);
}
