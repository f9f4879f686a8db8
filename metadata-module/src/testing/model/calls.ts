/** Calls that a client may make, as data, and what it saw of them. */

/** A version id that is only known when the call is made. */
export type IdRef =
  /** The n-th id that the module has handed out so far, counted round; the past one before the first. */
  | { readonly ref: 'issued'; readonly n: number }
  /** Of another place: older than all that this module hands out, newer than all, or of before versioning. */
  | { readonly ref: 'past' | 'future' | 'infinite' };

export interface PutCall {
  readonly call: 'put';
  readonly db: readonly string[];
  readonly key: string;
  /** The text of the value. */
  readonly value: string;
  readonly versioning?: boolean;
  /** `''` and `'null'` are themselves. */
  readonly versionId?: string;
  readonly isNull?: boolean;
  readonly deleteNullKey?: boolean;
  /** The put is made only while the current value is this text; `null`: while there is none. */
  readonly ifCurrent?: string | null;
}

export interface GetCall {
  readonly call: 'get';
  readonly db: readonly string[];
  readonly key: string;
  readonly versionId?: string;
}

export interface DelCall {
  readonly call: 'del';
  readonly db: readonly string[];
  readonly key: string;
  readonly versionId?: string;
  readonly isNull?: boolean;
}

export interface ListCall {
  readonly call: 'list';
  readonly db: readonly string[];
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly lte?: string;
  readonly limit?: number;
  readonly reverse?: boolean;
}

export type Call = PutCall | GetCall | DelCall | ListCall;

export type Outcome =
  | { readonly answer: string | undefined }
  /** Refused by the rules. */
  | { readonly error: string }
  /** The store failed: what the call changes may have been written or not. */
  | { readonly failed: string }
  | { readonly entries: readonly (readonly [string, string])[] };

/** Key and value of every entry, database by database. */
export type Content = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** One text for all texts of the same JSON. */
export function canonical(value: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch (err) {
    if (err instanceof SyntaxError) return value;
    throw err;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return value;
  return JSON.stringify(Object.fromEntries(Object.entries(parsed).sort(([a], [b]) => (a < b ? -1 : 1))));
}
