/** The options of calls that versioning understands, after they were checked. */

import type { KeyOperation } from '../record-log/record.js';

export interface PutOptions {
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
