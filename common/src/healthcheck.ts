/**
 * The health check of the images, which hold no curl: ends with 0 when the part that runs in this container
 * is ready, else with 1 and one line that says why not.
 *
 * The arguments name the settings that hold the probe ports of the programs of the image. One of the
 * programs runs, so whichever port answers decides.
 */
import http from 'node:http';
import { messageOf } from './errors.js';
import { port, readSettings, setting } from './settings.js';
import { LISTEN_SETTINGS } from './shared-settings.js';

/** Longer than the probe server gives its own readiness check, so that the reason arrives. */
const ANSWER_DEADLINE_MS = 4000;
const DEFAULT_PROBE_PORT = '4042';
const WILDCARDS: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

async function check(portSettings: readonly string[]): Promise<void> {
  if (portSettings.length === 0) throw new Error('name the setting that holds the probe port');
  const { LISTEN_ADDRESS } = readSettings(LISTEN_SETTINGS);
  const probePort = setting(port, DEFAULT_PROBE_PORT, 'port of the probes');
  const table = Object.fromEntries(portSettings.map(name => [name, probePort]));
  const ports = new Set(Object.values(readSettings(table)));
  const host = WILDCARDS[LISTEN_ADDRESS] ?? LISTEN_ADDRESS;
  const answers = await Promise.allSettled([...ports].map(number => ready(host, number)));
  const reasons = answers.map(answer =>
    answer.status === 'rejected' ? messageOf(answer.reason) : undefined,
  );
  if (!reasons.includes(undefined)) throw new Error(reasons.join('; '));
}

/** Resolves when `/_/ready` answers 200. Rejects with what it answered, or why it did not. */
function ready(host: string, number: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port: number, path: '/_/ready', agent: false }, response => {
      let body = '';
      response
        .setEncoding('utf8')
        .on('data', (chunk: string) => (body += chunk))
        .on('error', reject)
        .on('end', () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`port ${number} answered ${response.statusCode ?? 0}: ${body.trim()}`));
        });
    });
    request.on('error', reject);
    request.setTimeout(ANSWER_DEADLINE_MS, () => {
      request.destroy(new Error(`port ${number} did not answer within ${ANSWER_DEADLINE_MS} ms`));
    });
  });
}

check(process.argv.slice(2)).catch((err: unknown) => {
  process.stderr.write(`${messageOf(err)}\n`);
  process.exitCode = 1;
});
