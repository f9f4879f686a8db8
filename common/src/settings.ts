/**
 * Settings: every value that a person sets is one environment variable with a row in a table like
 * `SHARED_SETTINGS`. A row holds the default as text, what is accepted, and the meaning; the
 * reference page is held to these rows by a test.
 *
 * `NAME_FILE` names a file that holds the value, as in Docker's official images (for secrets). An empty
 * value is the same as none. All that is wrong is reported at once, before anything starts.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { messageOf } from './errors.js';

/** What a setting accepts: a parser from text, and the words that an error message uses for it. */
export interface Kind<T> {
  readonly accepts: string;
  readonly schema: z.ZodType<T, string>;
}

export interface Setting<T> extends Kind<T> {
  /** The default as one would write it in the environment; `undefined`: none. */
  readonly default: string | undefined;
  readonly meaning: string;
  /** A secret's value is never shown, neither in messages nor in logs. */
  readonly secret: boolean;
}

export type SettingsTable = Readonly<Record<string, Setting<unknown>>>;
export type SettingsOf<T extends SettingsTable> = {
  readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never;
};
export type Environment = Readonly<Record<string, string | undefined>>;

/** A refused environment. `problems` has one line for each setting that is wrong. */
export class SettingsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

/** A setting with a default. */
export function setting<T>(kind: Kind<T>, defaultText: string, meaning: string): Setting<T> {
  return { ...kind, default: defaultText, meaning, secret: false };
}

/** A setting that may be left out: `undefined` then. */
export function optional<T>(kind: Kind<T>, meaning: string): Setting<T | undefined> {
  return { ...kind, default: undefined, meaning, secret: false };
}

/** The same setting, its value hidden wherever values are shown. */
export function secret<T>(row: Setting<T>): Setting<T> {
  return { ...row, secret: true };
}

// --- kinds ---------------------------------------------------------------------------------------

const number = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/)
    .transform(Number)
    .pipe(z.number().int().min(min).max(max));

export const text: Kind<string> = { accepts: 'a text', schema: z.string().min(1) };

/** `0` lets the system choose a free port; the start line says which. */
export const port: Kind<number> = { accepts: 'a port number from 0 to 65535', schema: number(0, 65_535) };

export function integer(min: number, max: number, unit = ''): Kind<number> {
  return {
    accepts: `a whole number from ${min} to ${max}${unit && ` (${unit})`}`,
    schema: number(min, max),
  };
}

export const flag: Kind<boolean> = {
  accepts: 'true or false',
  schema: z.enum(['true', 'false', '1', '0']).transform(v => v === 'true' || v === '1'),
};

export function oneOf<const T extends string>(...values: readonly T[]): Kind<T> {
  return {
    accepts: values.length === 2 ? values.join(' or ') : `one of ${values.join(', ')}`,
    schema: z.string().pipe(z.enum(values)),
  };
}

/** Any text that `schema` takes, for what a module parses by rules of its own. */
export function parsed<T>(accepts: string, parse: (value: string) => T): Kind<T> {
  return {
    accepts,
    schema: z.string().transform((value, context) => {
      try {
        return parse(value);
      } catch (err) {
        context.addIssue({ code: 'custom', message: messageOf(err) });
        return z.NEVER;
      }
    }),
  };
}

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

export interface NamedHost extends HostAndPort {
  readonly name: string;
}

/** `host:port,host:port`, the port left out where there is a default. IPv6 addresses stand in brackets. */
export function hosts(defaultPort: number): Kind<readonly HostAndPort[]> {
  return parsed(`host:port, several separated by commas (default port ${defaultPort})`, value =>
    value.split(',').map(part => hostAndPort(part, defaultPort)),
  );
}

/** @throws Error when `part` is none, or names no port where there is no default. */
export function hostAndPort(part: string, defaultPort?: number): HostAndPort {
  const match = /^\s*(\[[0-9a-fA-F:.]+\]|[^\s:[\],/]+)(?::(\d{1,5}))?\s*$/.exec(part);
  const number = match?.[2] === undefined ? (defaultPort ?? 0) : Number(match[2]);
  if (!match?.[1] || number < 1 || number > 65_535) throw new Error(`"${part}" is no host:port`);
  return { host: match[1].replace(/^\[|\]$/g, ''), port: number };
}

// --- reading -------------------------------------------------------------------------------------

/**
 * Reads every setting of `table`.
 * @throws SettingsError naming each setting that is wrong, its value (unless secret) and what is accepted.
 */
export function readSettings<T extends SettingsTable>(
  table: T,
  env: Environment = process.env,
): SettingsOf<T> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(table)) {
    try {
      const given = textOf(name, env);
      const value = given ?? row.default;
      values[name] = value === undefined ? undefined : parseValue(name, row, value);
    } catch (err) {
      problems.push(messageOf(err));
    }
  }
  if (problems.length > 0) throw new SettingsError(problems);
  return values as SettingsOf<T>;
}

function textOf(name: string, env: Environment): string | undefined {
  const direct = env[name] || undefined;
  const file = env[`${name}_FILE`] || undefined;
  if (file === undefined) return direct;
  if (direct !== undefined) throw new Error(`${name} and ${name}_FILE are both set: set one of them`);
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (err) {
    throw new Error(`${name}_FILE: cannot read "${file}" (${codeOf(err)}): expected a readable file`, {
      cause: err,
    });
  }
  const value = content.replace(/\r?\n$/, '');
  if (value === '') throw new Error(`${name}_FILE: "${file}" is empty`);
  return value;
}

function parseValue(name: string, row: Setting<unknown>, value: string): unknown {
  const result = row.schema.safeParse(value);
  if (result.success) return result.data;
  const shown = row.secret ? 'the value' : JSON.stringify(value);
  const own = result.error.issues.find(issue => issue.code === 'custom')?.message;
  const why = own === undefined || row.secret ? '' : ` (${own})`;
  throw new Error(`${name}: ${shown} is not accepted${why}: expected ${row.accepts}`);
}

function codeOf(err: unknown): string {
  return err instanceof Error && 'code' in err ? String(err.code) : messageOf(err);
}
