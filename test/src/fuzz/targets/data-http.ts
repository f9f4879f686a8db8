/** HTTP bytes into the data module. */
import path from 'node:path';
import type { Random } from '@zenko-modules/common/testing/random';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { ask } from '../ask.js';
import { pick, randomBytes } from '../choose.js';
import { chunked, requestBytes, tryHttp } from '../http-cases.js';
import { Finding, type Target } from '../target.js';
import { WatchedDaemon } from '../watched-daemon.js';

const GOOD = Buffer.from('a blob that nobody may harm');
const MAX_MEMORY_BYTES = 512 * 1024 * 1024;

export const dataHttp = (backend: 'disk' | 'packed'): Target => ({
  name: backend === 'disk' ? 'data-http' : `data-http-${backend}`,
  about: `HTTP bytes into the data module, ${backend}`,
  open: async (owner, options) => {
    let goodKey = '';
    const daemon = await WatchedDaemon.start(
      owner,
      {
        entry: 'data-module/dist/main.js',
        env: {
          DATA_DIR: await temporaryFolder(owner),
          DATA_PORT: '0',
          DATA_PROBE_PORT: '0',
          DATA_BACKEND: backend,
          DATA_WORKERS: '1',
          LOG_LEVEL: 'error',
        },
        maxMemoryBytes: MAX_MEMORY_BYTES,
        probe: async ({ DATA_PORT: port = 0 }) => {
          const { status, body } = await ask(`http://127.0.0.1:${port}/DataFile/${goodKey}`);
          if (body?.equals(GOOD) !== true)
            throw new Finding(`the good blob came as ${status} ${body?.toString() ?? ''}`);
        },
      },
      options,
    );
    const port = daemon.ports.DATA_PORT ?? 0;
    goodKey = await put(port, GOOD);
    const keys = [await put(port, Buffer.from('x')), await put(port, Buffer.alloc(70_000, 7))];
    return {
      tryOne: async random => {
        await tryHttp(random, { port, validRequest: () => Promise.resolve(validRequest(random, keys)) });
        await daemon.check();
      },
    };
  },
});

async function put(port: number, body: Buffer): Promise<string> {
  const { headers } = await ask(`http://127.0.0.1:${port}/DataFile`, 'PUT', body);
  return path.basename(headers.location ?? '');
}

function validRequest(random: Random, keys: readonly string[]): Buffer {
  const key = pick(random, keys);
  const common = { host: '127.0.0.1', 'x-scal-request-uids': 'fuzz' };
  const body = randomBytes(random, pick(random, [0, 1, 100, 5000]));
  switch (random.integer(0, 8)) {
    case 0:
      return requestBytes({
        method: 'PUT',
        path: '/DataFile',
        headers: { ...common, 'content-length': body.length },
        body,
      });
    case 1:
      return requestBytes({
        method: 'PUT',
        path: '/DataFile',
        headers: { ...common, 'transfer-encoding': 'chunked' },
        body: chunked(random, body),
      });
    case 2: {
      const range = pick(random, ['bytes=0-0', 'bytes=5-', 'bytes=-3', 'bytes=10-20', 'bytes=0-99999']);
      return requestBytes({ method: 'GET', path: `/DataFile/${key}`, headers: { ...common, range } });
    }
    case 3:
      return requestBytes({ method: 'HEAD', path: `/DataFile/${key}`, headers: common });
    case 4:
      // Of a blob that there is not.
      return requestBytes({
        method: 'DELETE',
        path: `/DataFile/${randomBytes(random, 20).toString('hex')}`,
        headers: common,
      });
    case 5: {
      const absent = Array.from({ length: random.integer(0, 20) }, () =>
        randomBytes(random, 20).toString('hex'),
      );
      const list = Buffer.from(absent.join('\n'));
      return requestBytes({
        method: 'POST',
        path: '/DataFile?delete',
        headers: { ...common, 'content-length': list.length },
        body: list,
      });
    }
    case 6: {
      const query = pick(random, ['?keys', '?diskUsage', '?storedAt', '']);
      return requestBytes({ method: 'GET', path: `/DataFile${query}`, headers: common });
    }
    case 7:
      return requestBytes({
        method: 'PUT',
        path: '/DataFile',
        headers: { ...common, 'content-length': body.length, expect: '100-continue' },
        body,
      });
    default:
      return requestBytes({ method: 'GET', path: `/DataFile/${key}`, headers: common });
  }
}
