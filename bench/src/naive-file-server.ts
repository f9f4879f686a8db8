/** The plainest server of files that one could write, to compare with: `node naive-file-server.js <folder> [sync]`. */
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, mkdirSync } from 'node:fs';
import { open, stat, unlink } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

const [folder = '.', sync] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

async function serve(req: http.IncomingMessage, res: http.ServerResponse): Promise<void> {
  const file = path.join(folder, path.basename(req.url ?? ''));
  if (req.method === 'PUT') {
    const name = randomUUID();
    await pipeline(req, createWriteStream(path.join(folder, name)));
    if (sync !== undefined) {
      for (const target of [path.join(folder, name), folder]) {
        const handle = await open(target, 'r');
        await handle.sync();
        await handle.close();
      }
    }
    res.writeHead(201, { location: `/DataFile/${name}`, 'content-length': 0 }).end();
  } else if (req.method === 'DELETE') {
    await unlink(file);
    res.writeHead(204).end();
  } else {
    res.writeHead(200, { 'content-length': (await stat(file)).size });
    await pipeline(createReadStream(file), res);
  }
}

const server = http.createServer((req, res) => {
  serve(req, res).catch((err: unknown) => {
    console.error(err);
    res.destroy();
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send?.({ event: 'listening', ports: { DATA_PORT: (server.address() as AddressInfo).port } });
});
process.on('SIGTERM', () => process.exit(0));
