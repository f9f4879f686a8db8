/** What a delete changes, from its arguments and the stored master alone. */
import type { DeleteOptions, Plan } from './options.js';
import { nullKey, versionKey } from './version-key.js';
import { idOf, isPlaceHolder, parseValue, placeHolder } from './version-value.js';

export interface DeleteRequest {
  readonly key: string;
  readonly options: DeleteOptions;
}

/** `leavesPlaceHolder`: the master waits for its repair now. */
export interface DeletePlan extends Plan {
  readonly leavesPlaceHolder: boolean;
}

/** Whether the plan depends on the stored master. */
export function deleteReadsMaster({ options }: DeleteRequest): boolean {
  return isVersionSpecific(options) && options.versionId !== 'null';
}

/**
 * @param master the stored master, when `deleteReadsMaster`.
 * @param newId gives a version id that sorts before all others; called at most once.
 */
export function planDelete(
  { key, options }: DeleteRequest,
  master: string | undefined,
  newId: () => string,
): DeletePlan {
  if (!isVersionSpecific(options)) return { operations: [{ type: 'del', key }], leavesPlaceHolder: false };
  const { versionId, isNull } = options;
  if (versionId === 'null') {
    return { operations: [{ type: 'del', key: nullKey(key) }], versionId, leavesPlaceHolder: false };
  }
  const gone = { type: 'del', key: isNull === true ? nullKey(key) : versionKey(key, versionId) } as const;
  const wasMaster = master !== undefined && (isPlaceHolder(master) || idOf(parseValue(master)) === versionId);
  if (!wasMaster) return { operations: [gone], versionId, leavesPlaceHolder: false };
  return {
    operations: [gone, { type: 'put', key, value: placeHolder(newId()) }],
    versionId,
    leavesPlaceHolder: true,
  };
}

function isVersionSpecific(options: DeleteOptions): options is DeleteOptions & { versionId: string } {
  return options.versionId !== undefined && options.versionId !== '';
}
