/** JSON-line logger. One child per request carries the request's ids, so that it can be followed through the stack. */
import { destination, pino, type Logger as PinoLogger } from 'pino';
import { withDeadline } from './deadline.js';

export type Logger = PinoLogger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

const STANDARD_OUTPUT = 1;
/** A reader that is there takes no longer, as a rule. */
const FLUSH_MS = 1000;

type Output = ReturnType<typeof destination>;
const outputs: Output[] = [];

/** A logger on standard output; `name` stands in every line. Errors are serialised with stack and cause under `err`. */
export function createLogger(name: string, level: LogLevel): Logger {
  return pino({ name, level }, standardOutput());
}

function standardOutput(): Output {
  // Without a least length there would be nothing to wait for in `flush`.
  const output = destination({ dest: STANDARD_OUTPUT, sync: false, minLength: 1 });
  outputs.push(output);
  return output;
}

/**
 * Ends the process when what was logged is written, or nobody reads it: `process.exit` alone tries for ever to write into a pipe that
 * has no reader.
 */
export async function exitLogged(code: number): Promise<never> {
  for (const output of outputs) {
    const written = new Promise<void>(resolve => output.flush(() => resolve()));
    await withDeadline(written, FLUSH_MS, 'writing the log').catch(() => {
      output.flushSync = () => undefined;
    });
  }
  process.exit(code);
}

/** A logger that says nothing, for tests and for clients that bring none. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
