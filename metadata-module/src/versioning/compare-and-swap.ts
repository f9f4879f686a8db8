/** Changes of the stored entries of one key that are made only while these are as the caller has seen them. */
import { createHash } from 'node:crypto';
import type { KeyOperation } from '../record-log/record.js';
import { nullKey, versionKey } from './version-key.js';

/** Which entry of a key: the master without `versionId`, the null version with `null`, else a version. */
export interface EntryName {
  readonly versionId?: string | undefined;
}

/** The SHA-256 of the stored text in hexadecimal; `null`: there is none. */
export interface ExpectedText {
  readonly sha256: string | null;
}

export interface ExpectedEntry extends EntryName, ExpectedText {}

/** The text to store; `null`: no entry is to be there. */
export interface NewEntry extends EntryName {
  readonly value: string | null;
}

/** The entry's key in its database. */
export function entryKey(key: string, { versionId }: EntryName): string {
  if (versionId === undefined) return key;
  return versionId === 'null' ? nullKey(key) : versionKey(key, versionId);
}

export function isAsExpected(stored: string | undefined, { sha256 }: ExpectedText): boolean {
  return (stored === undefined ? null : sha256Of(stored)) === sha256;
}

/** As `compareAndSwap` compares stored texts. */
export function sha256Of(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}

export function swapOperations(key: string, entries: readonly NewEntry[]): KeyOperation[] {
  return entries.map(({ versionId, value }) => {
    const stored = entryKey(key, { versionId });
    return value === null ? { type: 'del', key: stored } : { type: 'put', key: stored, value };
  });
}
