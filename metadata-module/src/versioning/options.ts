/** The options of calls that versioning understands, after they were checked. */

import type { KeyOperation } from '../record-log/record.js';
import type { Database } from '../store/key-space.js';
import type { ExpectedText } from './compare-and-swap.js';

/** What must be so in the moment of a change. */
export interface Conditions {
  /** The value that `get` without a version answers. */
  readonly ifCurrent?: ExpectedText | undefined;
  /** An entry of any database that stands for the right to make the change. */
  readonly ifEntry?: (ExpectedText & { readonly database: Database; readonly key: string }) | undefined;
}

export interface PutOptions extends Conditions {
  readonly versioning: boolean;
  /** `''` asks for a new id for the master alone; `'null'` names the null version. */
  readonly versionId?: string | undefined;
  readonly isNull?: boolean | undefined;
  readonly deleteNullKey: boolean;
}

export interface GetOptions {
  readonly versionId?: string | undefined;
}

export interface DeleteOptions {
  readonly versionId?: string | undefined;
  readonly isNull?: boolean | undefined;
}

/** What a call changes, and the version id that it answers. */
export interface Plan {
  readonly operations: readonly KeyOperation[];
  readonly versionId?: string;
}
