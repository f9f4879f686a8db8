/** One record of the log as it comes over the wire, and what is remembered of it. */
import { createHash } from 'node:crypto';

export interface LogChange {
  readonly type: 'put' | 'del';
  readonly key: string;
  readonly value?: string | undefined;
}

export interface LogItem {
  readonly timestamp: string;
  readonly db: string;
  readonly entries: readonly LogChange[];
  readonly reqUids?: unknown;
}

/** `undefined` for what cannot be read, or stands for a record that cannot. */
export function parseItem(item: unknown): LogItem | undefined {
  if (typeof item !== 'object' || item === null) return undefined;
  const { timestamp, db, entries, damaged } = item as Partial<LogItem> & { damaged?: unknown };
  if (damaged === true || typeof timestamp !== 'string' || typeof db !== 'string') return undefined;
  return Array.isArray(entries) && entries.every(isChange) ? (item as LogItem) : undefined;
}

function isChange(entry: unknown): entry is LogChange {
  if (typeof entry !== 'object' || entry === null) return false;
  const { type, key, value } = entry as Partial<LogChange>;
  const isKnown = type === 'put' || type === 'del';
  return isKnown && typeof key === 'string' && (value === undefined || typeof value === 'string');
}

/** Tells a record from another one at the same place. */
export function fingerprint({ timestamp, db, entries }: LogItem): string {
  const text = JSON.stringify([timestamp, db, entries.map(({ type, key }) => [type, key])]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
