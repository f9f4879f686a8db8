/** A look into memcached, past the store: by its text protocol, on a connection of its own. */
import net from 'node:net';
import type { HostAndPort } from '@zenko-modules/common/settings';

/** Sends a command; resolves with the answer up to `end`. */
export function askMemcached({ host, port }: HostAndPort, command: string, end: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, host);
    let answer = '';
    socket.setTimeout(5000, () => socket.destroy(new Error(`memcached does not answer "${command}"`)));
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      if (!end.test(answer)) return;
      socket.destroy();
      resolve(answer);
    });
    socket.once('error', reject);
    socket.write(`${command}\r\n`);
  });
}

/** Items that the servers hold together. */
export async function countItems(servers: readonly HostAndPort[]): Promise<number> {
  const answers = await Promise.all(servers.map(server => askMemcached(server, 'stats', /END\r\n$/)));
  return answers.reduce((sum, answer) => sum + Number(/STAT curr_items (\d+)/.exec(answer)?.[1]), 0);
}

/** The keys of all items, at a time when none come or go. One dump alone may pass over some of them. */
export async function listItems(server: HostAndPort): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  for (;;) {
    const dump = await askMemcached(server, 'lru_crawler metadump all', /(?:END|BUSY.*)\r\n$/);
    for (const [, key = ''] of dump.matchAll(/^key=(\S+) /gm)) keys.add(decodeURIComponent(key));
    if (keys.size >= (await countItems([server]))) return keys;
  }
}
