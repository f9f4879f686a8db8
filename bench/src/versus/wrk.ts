/** Load by `wrk -t1`, which takes less processor time per request than what it measures. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SECONDS = 3;

/**
 * Sends `put.lua`'s or `get.lua`'s requests, which say what they take from `env`. Resolves with the number of those
 * that were answered. An answer that is an error ends the run.
 */
export async function wrk(
  url: string,
  method: 'put' | 'get',
  connections: number,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const script = fileURLToPath(new URL(`../../${method}.lua`, import.meta.url));
  const args = ['-t1', `-c${connections}`, `-d${SECONDS}`, '--timeout', '60', '-s', script, url];
  const { stdout } = await promisify(execFile)('wrk', args, { env: { ...process.env, ...env } });
  const [, requests] = /(\d+) requests in/.exec(stdout) ?? [];
  if (requests === undefined || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk: ${stdout}`);
  return Number(requests);
}
