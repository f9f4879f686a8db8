/** Which version takes the place of a deleted master. */
import type { KeyOperation } from '../record-log/record.js';
import { INFINITE_VERSION_ID } from './version-id.js';
import { nullKey } from './version-key.js';
import { idOf, parseValue } from './version-value.js';

export interface Candidates {
  /** The value under the null key. */
  readonly nullVersion?: string | undefined;
  /** The newest of those that have a version key. */
  readonly newest?: { readonly versionId: string; readonly value: string } | undefined;
}

export interface Repair {
  readonly operations: readonly KeyOperation[];
  /** The value of the new master; `undefined` when no version is left. */
  readonly value: string | undefined;
}

/** A null version whose value has no id is older than all that have one. */
export function planRepair(key: string, { nullVersion, newest }: Candidates): Repair {
  if (nullVersion !== undefined) {
    const nullId = idOf(parseValue(nullVersion)) ?? INFINITE_VERSION_ID;
    if (newest === undefined || nullId < newest.versionId) {
      return {
        operations: [
          { type: 'put', key, value: nullVersion },
          { type: 'del', key: nullKey(key) },
        ],
        value: nullVersion,
      };
    }
  }
  if (newest === undefined) return { operations: [{ type: 'del', key }], value: undefined };
  return { operations: [{ type: 'put', key, value: newest.value }], value: newest.value };
}
