/** JSON-line logger. One child per request carries the request's ids, so that it can be followed through the stack. */
import { pino, type Logger as PinoLogger } from 'pino';

export type Logger = PinoLogger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** A logger on standard output; `name` stands in every line. Errors are serialised with stack and cause under `err`. */
export function createLogger(name: string, level: LogLevel): Logger {
  return pino({ name, level });
}

/** A logger that says nothing, for tests and for clients that bring none. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
