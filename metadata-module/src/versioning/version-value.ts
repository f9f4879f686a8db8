/** The members of a stored value that versioning reads and writes. Values are JSON objects; all else in them is CloudServer's. */
import { CatalogueError } from '@zenko-modules/common/errors';

/** A stored value, taken apart. */
export interface VersionValue {
  readonly versionId?: string;
  /** It is a null version. */
  readonly isNull?: boolean;
  /** It is a null version that is kept under the null key. */
  readonly isNull2?: boolean;
  /** It stands in for a deleted master until that is repaired. */
  readonly isPHD?: boolean;
  readonly [member: string]: unknown;
}

/** The value as an object; `undefined` when it is not the JSON of one. */
export function parseValue(value: string): VersionValue | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch (err) {
    if (err instanceof SyntaxError) return undefined;
    throw err;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined;
  return parsed as VersionValue;
}

/** The version id inside a parsed value; `undefined` when it has none. */
export function idOf(value: VersionValue | undefined): string | undefined {
  const id = value?.versionId;
  return typeof id === 'string' && id !== '' ? id : undefined;
}

/** Whether a master is the place holder of one that was deleted. */
export function isPlaceHolder(value: string): boolean {
  // Nearly every value is told apart without parsing it.
  return value.includes('"isPHD"') && parseValue(value)?.isPHD === true;
}

export function placeHolder(versionId: string): string {
  return JSON.stringify({ isPHD: true, versionId });
}

/**
 * The same text with `"versionId":"<id>"` as its last member.
 * @throws CatalogueError InvalidArgument when `value` is not the JSON of an object.
 */
export function appendVersionId(value: string, versionId: string): string {
  const parsed = parseValue(value);
  if (parsed === undefined) throw notAnObject('value');
  const body = value.slice(0, value.lastIndexOf('}')).trimEnd();
  const separator = Object.keys(parsed).length === 0 ? '' : ',';
  return `${body}${separator}"versionId":${JSON.stringify(versionId)}}`;
}

/**
 * The same value with members set or replaced.
 * @throws CatalogueError InvalidArgument when `value` is not the JSON of an object.
 */
export function withMembers(value: string, members: Readonly<Record<string, unknown>>): string {
  const parsed = parseValue(value);
  if (parsed === undefined) throw notAnObject('value');
  return toText({ ...parsed, ...members });
}

/** @throws CatalogueError InvalidArgument when the value is too deep to be written as JSON: it can be read all the same. */
export function toText(value: VersionValue): string {
  try {
    return JSON.stringify(value);
  } catch (err) {
    if (!(err instanceof RangeError)) throw err;
    throw new CatalogueError('InvalidArgument', 'a value is nested too deeply to be versioned', {
      cause: err,
    });
  }
}

export function notAnObject(what: string): CatalogueError {
  return new CatalogueError(
    'InvalidArgument',
    `${what}: expected the JSON text of an object, as it is versioned`,
  );
}
