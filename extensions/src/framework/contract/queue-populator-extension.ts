/**
 * The half of an extension that runs in the populator: it sees every committed change and says which of
 * them concern it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Logger } from '@zenko-modules/common/logger';
import { PermanentError } from './processor-errors.js';

/** One change of one key, as the record log has it. */
export interface LogEntry {
  readonly type: 'put' | 'del';
  /** The database: a bucket, or one of CloudServer's own (`users..bucket`, `__metastore`, `mpuShadowBucket…`). */
  readonly bucket: string;
  /** The key in the database, which for a version is `<object key>\0<version id>`. `describeObject` tells them apart. */
  readonly key: string;
  /** The value as it was stored, JSON in general; a deletion has none. */
  readonly value?: string | undefined;
  /** When the change was written, ISO 8601. */
  readonly timestamp: string;
  /** The ids of the request that made the change, where they are known; `x-amz-request-id` is one of them, or all. */
  readonly reqUids?: string;
  /** The same time, where Backbeat's extensions look for it. Messages that were published before lack it. */
  readonly overheadFields?: { readonly commitTimestamp: string; readonly opTimestamp: string };
}

/** The entry of one change as filters get it. */
export function logEntry(
  type: LogEntry['type'],
  bucket: string,
  key: string,
  value: string | undefined,
  timestamp: string,
  reqUids?: unknown,
): LogEntry {
  const overheadFields = { commitTimestamp: timestamp, opTimestamp: timestamp };
  const request = typeof reqUids === 'string' ? { reqUids } : {};
  if (value === undefined) return { type, bucket, key, timestamp, ...request, overheadFields };
  return { type, bucket, key, value, timestamp, ...request, overheadFields };
}

export interface PopulatorContext<Config = unknown> {
  /** What the extension's configValidator returned. */
  readonly config: Config;
  readonly logger: Logger;
}

/** A message that a filter wants to have published. */
export interface Publication {
  readonly topic: string;
  readonly key: string;
  readonly value: string;
}

/** What one call of a filter publishes. It is closed when the filter has returned. */
class Publications {
  readonly list: Publication[] = [];
  open = true;
}

/** The filter call that the running code belongs to, while a filter runs that returns no promise, … */
let running: Publications | undefined;
/** … and of others, also after an `await`. To keep track of that costs every promise and callback of the process something. */
const current = new AsyncLocalStorage<Publications>();
/** Those whose `filter` has returned a promise. */
const asynchronous = new WeakSet<EntryFilter>();

/**
 * Extend this and give it `filter(entry)`, or `filterAsync(entry)` that returns a promise (Backbeat's
 * `filterAsync(entry, callback)` works too). Call `this.publish` in it for each message that the entry
 * gives rise to. A filter that fails is tried again with growing pauses, and what it published for that
 * entry until then is dropped; an entry for which it keeps failing is parked in `<topic>-failed`.
 */
export class QueuePopulatorExtension<Config = unknown> {
  readonly extConfig: Config;
  readonly log: Logger;

  constructor({ config, logger }: PopulatorContext<Config>) {
    this.extConfig = config;
    this.log = logger;
  }

  /**
   * Has a message published to `topic`. `key`, for an object `<bucket>/<object key>`, is URI-encoded and
   * decides the order: messages of one key are delivered in the order of the log. The message belongs to
   * the entry that is being filtered, so it may be called at any time until the filter has returned or
   * its promise is settled, and throws after that.
   */
  publish(topic: string, key: string, message: string): void {
    const publications = running ?? current.getStore();
    if (!publications?.open) throw new Error('publish was called when no entry was being filtered');
    publications.list.push({ topic, key: encodeURIComponent(key), value: message });
  }
}

/** What the populator calls; a class that extends `QueuePopulatorExtension` has one of the two. */
export interface EntryFilter {
  /** May return a promise as well; it is called twice for the first entry for which it does. */
  filter?(entry: LogEntry): unknown;
  /** Either returns a promise, or takes and calls the callback. */
  filterAsync?(entry: LogEntry, callback: (err?: Error | null) => void): unknown;
}

/** Runs a filter on one entry and returns what it published. Rejects with what the filter threw. */
export async function runFilter(extension: EntryFilter, entry: LogEntry): Promise<readonly Publication[]> {
  return startFilter(extension, entry);
}

/** The same, without a promise when the filter needs none. Throws what a filter throws at once. */
export function startFilter(
  extension: EntryFilter,
  entry: LogEntry,
): readonly Publication[] | Promise<readonly Publication[]> {
  const publications = new Publications();
  let returned: unknown;
  try {
    returned = callFilter(extension, entry, publications);
  } catch (err) {
    publications.open = false;
    throw err;
  }
  if (isThenable(returned)) return published(returned, publications);
  publications.open = false;
  return publications.list;
}

function callFilter(extension: EntryFilter, entry: LogEntry, publications: Publications): unknown {
  if (extension.filterAsync || asynchronous.has(extension)) {
    return current.run(publications, () => callAsynchronous(extension, entry));
  }
  running = publications;
  try {
    const returned = extension.filter?.(entry);
    if (!isThenable(returned)) return returned;
    returned.then(undefined, () => undefined);
  } finally {
    running = undefined;
  }
  // What this call publishes later belongs to nothing: it is made again, this time and from now on with its context.
  publications.list.length = 0;
  asynchronous.add(extension);
  return callFilter(extension, entry, publications);
}

function callAsynchronous(extension: EntryFilter, entry: LogEntry): unknown {
  if (!extension.filterAsync) return extension.filter?.(entry);
  const { promise, settle } = callbackPromise();
  const result = extension.filterAsync(entry, settle);
  return extension.filterAsync.length < 2 ? result : promise;
}

async function published(
  done: PromiseLike<unknown>,
  publications: Publications,
): Promise<readonly Publication[]> {
  try {
    await done;
    return publications.list;
  } finally {
    publications.open = false;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function callbackPromise(): { promise: Promise<void>; settle: (err?: Error | null) => void } {
  let settle: (err?: Error | null) => void = () => undefined;
  const promise = new Promise<void>((resolve, reject) => {
    settle = err => {
      if (err) reject(err);
      else resolve();
    };
  });
  return { promise, settle };
}

/** The entry that a message holds whose filter published it as JSON. @throws PermanentError when it holds none. */
export function parseEntry(message: string): LogEntry {
  let entry: unknown;
  try {
    entry = JSON.parse(message);
  } catch (err) {
    throw new PermanentError('the message is no JSON', { cause: err });
  }
  const { type, bucket, key, value } = (
    typeof entry === 'object' && entry !== null ? entry : {}
  ) as Partial<LogEntry>;
  const known = type === 'put' || type === 'del';
  if (
    !known ||
    typeof bucket !== 'string' ||
    typeof key !== 'string' ||
    !['string', 'undefined'].includes(typeof value)
  ) {
    throw new PermanentError('the message is no entry of the record log');
  }
  return entry as LogEntry;
}
