/**
 * A network that adds a millisecond each way, as between machines of one data centre, in a process of its own:
 * what it takes of a processor is not counted for anybody else.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Teardown } from './measure.js';

const DELAY_MS = 1;

/** A way to the MongoDB at `url`; resolves with the URL to use in its place. */
export async function startDelay(teardown: Teardown, url: string): Promise<string> {
  const child = fork(fileURLToPath(import.meta.url), [new URL(url).host]);
  teardown.after(() => child.kill());
  const [port] = (await once(child, 'message')) as [number];
  return `mongodb://127.0.0.1:${port}/?directConnection=true`;
}

/** Delays whatever passes, in both directions, without holding up what comes behind it. */
function serve(target: URL): void {
  const server = net.createServer({ noDelay: true }, client => {
    const upstream = net.connect({ port: Number(target.port), host: target.hostname, noDelay: true });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('data', (data: Buffer) => setTimeout(() => to.write(data), DELAY_MS));
      from.on('error', () => to.destroy());
      from.on('close', () => setTimeout(() => to.destroy(), DELAY_MS * 2));
    }
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as net.AddressInfo).port));
  process.once('disconnect', () => process.exit());
}

const target = process.argv[2];
if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  serve(new URL(`tcp://${target ?? ''}`));
}
