/**
 * The life of a process: settings, start, signals, graceful stop, exit code.
 *
 * A daemon that is told to stop closes what it opened and exits with 0; with 1 when that takes longer than
 * STOP_GRACE_MS. One that is still starting ends its start, or completes it and stops. A start that fails prints one line and exits with 1. A parent that forked it is told over
 * IPC when it listens, and where.
 */
import { DeadlineError, withDeadline } from './deadline.js';
import { messageOf } from './errors.js';
import { createLogger, exitLogged, type Logger } from './logger.js';
import {
  type Environment,
  readSettings,
  SettingsError,
  type SettingsOf,
  type SettingsTable,
} from './settings.js';
import { LOG_SETTINGS, STOP_SETTINGS } from './shared-settings.js';
import { StartError } from './start-error.js';
import { stopSignal } from './stop-signal.js';

/** A part that runs. `close` may be called once; it resolves when all that the part opened is closed. */
export interface Running {
  /** Ports that the part is bound to, by setting name, such as `{ DATA_PORT: 9991 }`. */
  readonly ports: Readonly<Record<string, number>>;
  /** What it works with, for the line that says that it listens: store, place, sizes, limits. Nothing secret. */
  readonly uses?: Readonly<Record<string, unknown>>;
  /** Resolves with the reason when the part cannot go on: the process ends with 1, for a supervisor to start anew. */
  readonly failed?: Promise<string>;
  close(): Promise<void>;
}

/** What a forked daemon sends to its parent. */
export interface ListeningMessage {
  readonly event: 'listening';
  readonly ports: Readonly<Record<string, number>>;
}

/** What the logger and the stop need. A part's own table need not repeat these. */
export const DAEMON_SETTINGS = { ...LOG_SETTINGS, ...STOP_SETTINGS } as const;

export interface DaemonOptions<T extends SettingsTable> {
  readonly name: string;
  readonly settings: T;
  /** `stopping` is aborted when the daemon is told to stop: a start that waits for something rejects then. */
  readonly start: (
    settings: SettingsOf<T> & SettingsOf<typeof DAEMON_SETTINGS>,
    log: Logger,
    stopping: AbortSignal,
  ) => Promise<Running>;
  readonly env?: Environment;
}

/** Runs a part until it is told to stop, then ends the process. Never rejects. */
export async function runDaemon<T extends SettingsTable>(options: DaemonOptions<T>): Promise<void> {
  let lifecycle: SettingsOf<typeof DAEMON_SETTINGS>;
  let log: Logger;
  let running: Running;
  const stopping = new AbortController();
  const stop = stopSignal();
  try {
    const own = readSettings({ ...DAEMON_SETTINGS, ...options.settings }, options.env);
    lifecycle = readSettings(DAEMON_SETTINGS, options.env);
    log = createLogger(options.name, lifecycle.LOG_LEVEL);
    const started = options.start({ ...own, ...lifecycle }, log, stopping.signal);
    const early = await Promise.race([started.then(() => undefined), stop]);
    if (early === undefined) {
      running = await started;
    } else {
      log.info({ reason: early }, 'told to stop while starting');
      stopping.abort(new Error(early));
      running = await withDeadline(started, lifecycle.STOP_GRACE_MS, 'starting');
    }
  } catch (err) {
    if (stopping.signal.aborted && !(err instanceof DeadlineError)) await exitLogged(0);
    failStart(options.name, err);
    return;
  }
  const { ports, uses } = running;
  log.info({ ports, ...uses }, 'listening');
  process.send?.({ event: 'listening', ports } satisfies ListeningMessage);

  let code = 0;
  const failed = running.failed?.then(reason => {
    code = 1;
    return reason;
  });
  const reason = await (failed === undefined ? stop : Promise.race([stop, failed]));
  if (code === 0) log.info({ reason }, 'stopping');
  else log.fatal({ reason }, 'cannot go on, stopping');
  try {
    await withDeadline(running.close(), lifecycle.STOP_GRACE_MS, 'stopping');
    log.info('stopped');
  } catch (err) {
    log.error({ err }, 'did not stop cleanly');
    code = 1;
  }
  await exitLogged(code);
}

/** One line for what a person can mend, the whole error for what only a developer can; then exit code 1. */
function failStart(name: string, err: unknown): void {
  const known = err instanceof StartError || err instanceof SettingsError;
  process.stderr.write(`${name}: ${known ? messageOf(err) : describe(err)}\n`, () => process.exit(1));
}

function describe(err: unknown): string {
  return err instanceof Error ? (err.stack ?? err.message) : String(err);
}
