/** Every part in one terminal, each a process of its own. */
import type { ListeningMessage } from '@zenko-modules/common/daemon';
import { messageOf } from '@zenko-modules/common/errors';
import { readSettings } from '@zenko-modules/common/settings';
import { THREAD_POOL_SETTINGS } from '@zenko-modules/common/shared-settings';
import { stopSignal } from '@zenko-modules/common/stop-signal';
import { banner } from './start/banner.js';
import {
  furtherProbePort,
  partsOf,
  QUIET_SDK,
  reachableAt,
  START_SETTINGS,
  statusParts,
  withoutForeignTls,
} from './start/parts.js';
import { SupervisedProcess } from './start/supervised-process.js';

const running: SupervisedProcess[] = [];
let stopping = false;

async function startAll(): Promise<void> {
  const settings = readSettings(START_SETTINGS);
  const host = reachableAt(settings.LISTEN_ADDRESS);
  let env: Record<string, string | undefined> = {
    DATA_HOST: host,
    METADATA_HOST: host,
    S3_HOST: host,
    LOG_LEVEL: 'warn',
    ...QUIET_SDK,
    UV_THREADPOOL_SIZE: THREAD_POOL_SETTINGS.UV_THREADPOOL_SIZE.default,
    STATUS_PARTS: statusParts(settings, host),
    ...process.env,
  };
  const ports: Record<string, number> = {};
  for (const part of partsOf(settings)) {
    if (stopping) return;
    const { isFurtherProcessor = false, name, entry, args, nodeOptions } = part;
    const own = isFurtherProcessor && {
      PROCESSOR_PROBE_PORT: furtherProbePort(process.env.PROCESSOR_PROBE_PORT, ports),
    };
    const child = new SupervisedProcess({
      name,
      entry,
      args,
      ...(nodeOptions && { nodeOptions }),
      env: { ...env, ...own, ...withoutForeignTls(part, settings) },
      stopGraceMs: settings.STOP_GRACE_MS,
      say,
    });
    running.push(child);
    const started = await child.started();
    if (isFurtherProcessor) {
      ports[`PROCESSOR_PROBE_PORT of ${name}`] = started.PROCESSOR_PROBE_PORT ?? 0;
      continue;
    }
    Object.assign(ports, started);
    env = { ...env, ...textOf(started) };
  }
  if (stopping) return;
  say(banner(settings, ports));
  process.send?.({ event: 'listening', ports } satisfies ListeningMessage);
}

function textOf(ports: Readonly<Record<string, number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)]));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Last started, first stopped: nothing loses what it stands on before it has ended. */
async function stopAll(): Promise<void> {
  for (let part = running.pop(); part; part = running.pop()) await part.stop();
}

async function end(code: number): Promise<void> {
  if (stopping) return;
  stopping = true;
  if (code === 0) say('stopping');
  await stopAll();
  process.exit(code);
}

/** Runs every part until the process is told to stop, and then ends it: with 1 when a part could not start. */
export async function start(): Promise<void> {
  const ended = stopSignal().then(() => end(0));
  try {
    await startAll();
  } catch (err) {
    // A part that is stopped while it starts has a reason to complain, and nobody to hear it.
    if (stopping) return ended;
    process.stderr.write(`${messageOf(err)}\n`);
    return end(1);
  }
  return ended;
}
