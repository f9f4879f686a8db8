/** The probe ports of all parts. */
import { askProbe } from '@zenko-modules/common/ask-probe';
import { messageOf } from '@zenko-modules/common/errors';
import { httpUrl } from '@zenko-modules/common/http-url';
import { type Environment, readSettings, setting, text } from '@zenko-modules/common/settings';
import { PROBE_PORT_SETTINGS, STATUS_SETTINGS } from '@zenko-modules/common/shared-settings';
import { TOOLS_SETTINGS } from '../settings.js';

const ANSWER_MS = 5000;

const PROBE_SETTINGS = {
  ...PROBE_PORT_SETTINGS,
  PROBE_HOST: setting(text, '127.0.0.1', 'where the probes of s3-front, populator and processors are'),
} as const;

export interface Probe {
  readonly part: string;
  readonly url: string;
}

/**
 * Those of STATUS_PARTS, where it is set, as in the containers of a stack.
 * @param others `name=host:port`, for parts that run several times or elsewhere
 */
export function probesOf(env: Environment, others: readonly string[]): Probe[] {
  const { STATUS_PARTS } = readSettings(STATUS_SETTINGS, env);
  return [
    ...(STATUS_PARTS?.map(({ name, host, port }) => ({ part: name, url: httpUrl(host, port) })) ??
      partsOfOneMachine(env)),
    ...others.map(other => {
      const [part = '', at = ''] = other.split('=', 2);
      return { part, url: `http://${at}` };
    }),
  ];
}

function partsOfOneMachine(env: Environment): Probe[] {
  const ports = readSettings(PROBE_SETTINGS, env);
  const { DATA_HOST, METADATA_HOST } = readSettings(TOOLS_SETTINGS, env);
  return [
    { part: 'data-module', url: httpUrl(DATA_HOST, ports.DATA_PROBE_PORT) },
    { part: 'metadata-module', url: httpUrl(METADATA_HOST, ports.METADATA_PROBE_PORT) },
    { part: 'populator', url: httpUrl(ports.PROBE_HOST, ports.POPULATOR_PROBE_PORT) },
    { part: 'processor', url: processorUrl(env) },
    { part: 's3-front', url: httpUrl(ports.PROBE_HOST, ports.S3_PROBE_PORT) },
  ];
}

export function processorUrl(env: Environment): string {
  const { PROBE_HOST, PROCESSOR_PROBE_PORT } = readSettings(PROBE_SETTINGS, env);
  return httpUrl(PROBE_HOST, PROCESSOR_PROBE_PORT);
}

export interface Health {
  readonly status: 'ready' | 'not ready' | 'away';
  readonly reason: string;
}

export async function healthOf({ url }: Probe): Promise<Health> {
  try {
    const answer = await askProbe(`${url}/_/ready`, ANSWER_MS);
    if (answer.status === 200) return { status: 'ready', reason: '' };
    const { reason } = JSON.parse(answer.text) as { reason?: unknown };
    return {
      status: 'not ready',
      reason: typeof reason === 'string' ? reason : `it answered ${answer.status}`,
    };
  } catch (err) {
    return { status: 'away', reason: messageOf(err) };
  }
}

/** Has a processor pause or resume. Resolves with why it did not, if it did not. */
export async function command(url: string, name: 'pause' | 'resume'): Promise<string | undefined> {
  try {
    const answer = await askProbe(`${url}/_/${name}`, ANSWER_MS, 'POST');
    return answer.status === 200 ? undefined : answer.text.trim();
  } catch (err) {
    return messageOf(err);
  }
}
