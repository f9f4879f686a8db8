/** Arguments of calls, checked at the door: what passes here is trusted by all that follows. */
import { CatalogueError } from '@zenko-modules/common/errors';
import { hasMoreValues } from '@zenko-modules/common/json-values';
import { z } from 'zod';
import { RECORD_LOGS_DATABASE } from '../record-log/record.js';
import { Database, type KeyRange } from '../store/key-space.js';
import type { ExpectedEntry, NewEntry } from '../versioning/compare-and-swap.js';
import type { DeleteOptions, GetOptions, PutOptions } from '../versioning/options.js';

const MAX_KEY_BYTES = 16 * 1024;
const MAX_NAME_BYTES = 512;
const MAX_NAMES = 8;
/** An object of 10,000 parts, the most that S3 allows, has about a tenth of this. */
const MAX_VALUES = 1_000_000;
const LONE_SURROGATE = /[\ud800-\udfff]/u;

const wellFormed = z
  .string()
  .refine(text => !LONE_SURROGATE.test(text), 'expected well-formed text, without lone surrogates');

const sized = (schema: z.ZodType<string>, maxBytes: number) =>
  schema.refine(
    text => text.length <= maxBytes && Buffer.byteLength(text) <= maxBytes,
    `expected at most ${maxBytes} bytes`,
  );

const key = sized(wellFormed, MAX_KEY_BYTES)
  .refine(text => text !== '', 'expected a text that is not empty')
  .refine(text => !text.includes('\0'), 'expected a text without NUL');

/** Versioning takes a stored value apart, at any later time. */
const storedValue = wellFormed.refine(
  text => !hasMoreValues(text, MAX_VALUES),
  `expected the JSON of at most ${MAX_VALUES} members and items`,
);

const databaseName = sized(wellFormed, MAX_NAME_BYTES)
  .refine(text => text !== '', 'expected a name that is not empty')
  .refine(text => !/[!#\0]/.test(text), 'expected a name without "!", "#" and NUL')
  .refine(text => text !== RECORD_LOGS_DATABASE, 'this database is the record log, see readRecords');

const subLevel = z.array(databaseName).max(MAX_NAMES);

/** `undefined` and `null` both stand for an option that is not given. */
export const optionalMember = <T>(schema: z.ZodType<T>) =>
  schema.nullish().transform(value => value ?? undefined);

const versionId = optionalMember(
  sized(wellFormed, MAX_KEY_BYTES).refine(text => !text.includes('\0'), 'expected a text without NUL'),
);
const isNull = optionalMember(z.boolean());
/** On unless it is left out or false; `''` counts as on. */
const switchedOn = z
  .union([z.boolean(), z.string(), z.number(), z.null()])
  .optional()
  .transform(value => value === '' || Boolean(value));

export const options = <T extends z.ZodRawShape>(shape: T) =>
  z.preprocess(value => value ?? {}, z.object(shape));

/** Of a stored text; `null`: there is none. */
const sha256 = z.union([z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits'), z.null()]);

const putShape = { versioning: switchedOn, versionId, isNull, deleteNullKey: switchedOn };
const putOptions = options(putShape);
const conditionalPutOptions = options({
  ...putShape,
  ifCurrent: optionalMember(z.object({ sha256 })),
  ifEntry: optionalMember(
    z
      .object({ subLevel, key, sha256 })
      .transform(({ subLevel: names, ...entry }) => ({ ...entry, database: new Database(names) })),
  ),
});
const getOptions = options({ versionId });
const deleteOptions = options({ versionId, isNull });

/** What one call may get. */
const MAX_GETS = 16;
const gets = z.array(z.array(z.unknown()).max(3)).max(MAX_GETS);

/** A bound need not be well-formed text: see `boundBytes`. */
const bound = optionalMember(sized(z.string(), MAX_KEY_BYTES));
/** A larger number stands for the largest: there is no record of such a number. */
export const wholeNumber = (min: number) =>
  z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^-?\d{1,16}$/)
          .transform(Number),
      ],
      { error: 'expected a whole number' },
    )
    .refine(Number.isInteger, 'expected a whole number')
    .refine(value => value >= min, `expected at least ${min}`)
    .transform(value => Math.min(value, Number.MAX_SAFE_INTEGER));

/** A process that holds a reader must say so again in this time. */
const MAX_HOLD_MS = 600_000;
const MAX_PLACE_BYTES = 4096;

/** LevelDOWNs count in 32 bits. A listing of more entries than that is not limited: it would take days. */
const MAX_COUNT = 2 ** 31 - 1;

/** `-1` is level's word for no limit. */
const limit = optionalMember(wholeNumber(-1)).transform(count =>
  count === -1 || count === undefined || count > MAX_COUNT ? undefined : count,
);

const keyRange = options({
  gt: bound,
  gte: bound,
  lt: bound,
  lte: bound,
  limit,
  reverse: optionalMember(z.boolean()),
});

const readerId = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1 to 64 letters, digits, ".", "_" or "-"');

const recordRange = options({
  startSeq: optionalMember(wholeNumber(0)),
  endSeq: optionalMember(wholeNumber(0)),
  limit,
  reader: optionalMember(readerId),
});

const pruneRange = options({ endSeq: optionalMember(wholeNumber(0)) });

/** Entries of one key that one repair is about. */
const MAX_ENTRIES = 16;
const expectedEntries = z.array(z.object({ versionId, sha256 })).min(1).max(MAX_ENTRIES);
const newEntries = z.array(z.object({ versionId, value: z.union([storedValue, z.null()]) })).max(MAX_ENTRIES);

const holderId = z.string().min(1).max(200);

const readerHold = options({
  reader: readerId,
  holder: holderId,
  leaseMs: wholeNumber(0).refine(ms => ms <= MAX_HOLD_MS, `expected at most ${MAX_HOLD_MS}`),
});

const readerPlace = options({
  reader: readerId,
  holder: holderId,
  // Objects of JavaScript, as which places travel, are made without a member of this name.
  name: sized(z.string(), 256).refine(text => text !== '__proto__', 'expected another name than __proto__'),
  place: sized(z.string(), MAX_PLACE_BYTES),
});

/** @throws CatalogueError InvalidArgument that names the argument and what is accepted. */
export function check<T>(name: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = [name, ...(issue?.path ?? [])].map(String).join('.');
  throw new CatalogueError('InvalidArgument', `${where}: ${issue?.message ?? 'not valid'}`);
}

/** Databases that were named before: every call names one, and to check a name takes longer than most of a call. */
const knownDatabases = new Map<string, Database>();
const MAX_KNOWN_DATABASES = 1000;

/** No name at all stands for the root database. */
export function checkDatabase(value: unknown): Database {
  const name: unknown = Array.isArray(value) && value.length === 1 ? value[0] : undefined;
  const known = typeof name === 'string' ? knownDatabases.get(name) : undefined;
  if (known !== undefined) return known;
  const database = new Database(check('subLevel', subLevel, value ?? []));
  if (typeof name !== 'string') return database;
  if (knownDatabases.size >= MAX_KNOWN_DATABASES) knownDatabases.clear();
  knownDatabases.set(name, database);
  return database;
}

/** Three bytes for each unit at most. */
const SHORT = MAX_KEY_BYTES / 3;

/** Whether a value is a key that `key` takes, seen at once: the schema takes several times as long. */
function isShortKey(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.length <= SHORT &&
    !value.includes('\0') &&
    !LONE_SURROGATE.test(value)
  );
}

export const checkKey = (value: unknown): string => (isShortKey(value) ? value : check('key', key, value));
export const checkValue = (value: unknown): string => check('value', storedValue, value);

const NO_PUT_OPTIONS: PutOptions = check('options', putOptions, {});
const VERSIONED_PUT_OPTIONS: PutOptions = check('options', putOptions, { versioning: true });
const NO_GET_OPTIONS: GetOptions = {};

/** What nearly every put says is seen at once. */
export function checkPutOptions(value: unknown): PutOptions {
  if (isNothing(value)) return NO_PUT_OPTIONS;
  if (isVersioned(value)) return VERSIONED_PUT_OPTIONS;
  return check('options', isConditional(value) ? conditionalPutOptions : putOptions, value);
}

export function checkGetOptions(value: unknown): GetOptions {
  return isNothing(value) ? NO_GET_OPTIONS : check('options', getOptions, value);
}

function isNothing(value: unknown): boolean {
  if (typeof value !== 'object') return value === undefined;
  return value === null || (!Array.isArray(value) && Object.keys(value).length === 0);
}

function isVersioned(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('versioning' in value)) return false;
  return value.versioning === true && Object.keys(value).length === 1;
}

function isConditional(value: unknown): boolean {
  return typeof value === 'object' && value !== null && ('ifCurrent' in value || 'ifEntry' in value);
}

/** Each still to be checked, as the arguments of one `get`. */
export const checkGets = (value: unknown): readonly (readonly unknown[])[] => check('gets', gets, value);
export const checkDeleteOptions = (value: unknown): DeleteOptions => check('options', deleteOptions, value);
export const checkExpectedEntries = (value: unknown): readonly ExpectedEntry[] =>
  check('expected', expectedEntries, value);
export const checkNewEntries = (value: unknown): readonly NewEntry[] =>
  check('replacements', newEntries, value);
export const checkKeyRange = (value: unknown): KeyRange => check('options', keyRange, value);
export const checkRecordRange = (value: unknown): z.infer<typeof recordRange> =>
  check('options', recordRange, value);
export const checkPruneRange = (value: unknown): z.infer<typeof pruneRange> =>
  check('options', pruneRange, value);
export const checkReaderHold = (value: unknown): z.infer<typeof readerHold> =>
  check('options', readerHold, value);
export const checkReaderPlace = (value: unknown): z.infer<typeof readerPlace> =>
  check('options', readerPlace, value);
export const checkReader = (value: unknown): string => check('reader', readerId, value);
