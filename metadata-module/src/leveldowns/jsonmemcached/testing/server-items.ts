/** Looking into a memcached server from outside. */
import assert from 'node:assert/strict';
import net from 'node:net';

/** The keys of all items, in byte order. */
export async function allKeys(port: number): Promise<string[]> {
  const answer = await ask(port, 'lru_crawler metadump all\r\n', 'END\r\n');
  // The dump shows an item twice that memcached moves meanwhile.
  const keys = new Set([...answer.matchAll(/^key=(\S+)/gm)].map(([, key]) => decodeURIComponent(key ?? '')));
  return [...keys].sort((a, b) => Buffer.compare(Buffer.from(strip(a)), Buffer.from(strip(b))));
}

/** Fails when the server holds more than the items of one store, closed just now, whose snapshot is one item. */
export async function assertOneGeneration(port: number): Promise<void> {
  const keys = (await allKeys(port)).map(strip);
  const generation = /:j(\d+)$/.exec(keys.find(key => /:j\d+$/.test(key)) ?? '')?.[1] ?? '';
  assert.deepEqual(keys, [
    'metadata:root',
    `metadata:space:j${generation}`,
    `metadata:space:j${generation}:1`,
    `metadata:space:s${generation}:1`,
  ]);
}

/** Empties the server. */
export async function flush(port: number): Promise<void> {
  await ask(port, 'flush_all\r\n', 'OK\r\n');
}

/** Without the random part, which would make the order another one each time. */
function strip(key: string): string {
  return key.replace(/:[0-9a-f]{8}:/, ':space:');
}

function ask(port: number, command: string, end: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(command));
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      if (!answer.endsWith(end)) return;
      socket.destroy();
      resolve(answer);
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`memcached answered only ${JSON.stringify(answer)}`)));
  });
}
