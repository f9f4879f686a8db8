/** `npm start`: every part in one terminal, on the embedded defaults, with only Node installed. */
import type { ListeningMessage } from '@zenko-modules/common/daemon';
import { messageOf } from '@zenko-modules/common/errors';
import { readSettings } from '@zenko-modules/common/settings';
import { banner } from './start/banner.js';
import { PARTS, QUIET_SDK, reachableAt, START_SETTINGS } from './start/parts.js';
import { SupervisedProcess } from './start/supervised-process.js';

const running: SupervisedProcess[] = [];

async function main(): Promise<void> {
  const settings = readSettings(START_SETTINGS);
  const host = reachableAt(settings.LISTEN_ADDRESS);
  let env: Record<string, string | undefined> = {
    DATA_HOST: host,
    METADATA_HOST: host,
    LOG_LEVEL: 'warn',
    ...QUIET_SDK,
    ...process.env,
  };
  const ports: Record<string, number> = {};
  for (const part of PARTS) {
    const started = await SupervisedProcess.start({ ...part, env, stopGraceMs: settings.STOP_GRACE_MS, say });
    running.push(started);
    Object.assign(ports, started.ports);
    env = { ...env, ...textOf(ports) };
  }
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

let stopping = false;
function stop(): void {
  if (stopping) return;
  stopping = true;
  say('stopping');
  void startUp.then(stopAll).then(() => process.exit(0));
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
process.on('disconnect', stop);
// Parts that are still starting are waited for before they are stopped.
const startUp = main().catch(async (err: unknown) => {
  process.stderr.write(`${messageOf(err)}\n`);
  await stopAll();
  process.exit(1);
});
