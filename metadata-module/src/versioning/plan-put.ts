/** What a put changes, from its arguments and the stored master alone. */
import type { KeyOperation } from '../record-log/record.js';
import type { Plan, PutOptions } from './options.js';
import { INFINITE_VERSION_ID } from './version-id.js';
import { nullKey, versionKey } from './version-key.js';
import {
  appendVersionId,
  idOf,
  notAnObject,
  parseValue,
  toText,
  type VersionValue,
  withMembers,
} from './version-value.js';

export interface PutRequest {
  readonly key: string;
  readonly value: string;
  readonly options: PutOptions;
}

/** Whether the plan depends on the stored master. */
export function putReadsMaster({ options }: PutRequest): boolean {
  return isVersionSpecific(options) && options.versionId !== 'null';
}

/**
 * @param master the stored master, when `putReadsMaster`.
 * @param newId gives a version id that sorts before all others; called at most once.
 * @throws CatalogueError InvalidArgument when a value that has to carry a version id is no JSON object.
 */
export function planPut(request: PutRequest, master: string | undefined, newId: () => string): Plan {
  const { key, value, options } = request;
  if (isVersionSpecific(options)) {
    if (options.versionId === 'null') {
      return { operations: [put(nullKey(key), value)], versionId: 'null' };
    }
    return planVersionPut(request, options.versionId, master);
  }
  if (options.versioning) {
    const versionId = newId();
    const stored = appendVersionId(value, versionId);
    return { operations: [put(key, stored), put(versionKey(key, versionId), stored)], versionId };
  }
  if (options.versionId === '') {
    const versionId = newId();
    const operations = [put(key, appendVersionId(value, versionId))];
    if (options.deleteNullKey) operations.push(del(nullKey(key)));
    return { operations, versionId };
  }
  return { operations: [put(key, value)] };
}

/**
 * A put that names a version is about that version, also when it says `versioning` as well: that is what
 * a replication into a versioned bucket sends.
 */
function isVersionSpecific(options: PutOptions): options is PutOptions & { versionId: string } {
  return options.versionId !== undefined && options.versionId !== '';
}

function planVersionPut(request: PutRequest, versionId: string, stored: string | undefined): Plan {
  const { key, value, options } = request;
  const { isNull } = options;
  const operations = isNull === true ? [] : [put(versionKey(key, versionId), value)];
  if (stored === undefined) return { operations: [...operations, put(key, value)], versionId };

  const master = parseValue(stored);
  if (master === undefined) throw notAnObject('the stored value');
  const masterId = idOf(master);
  if (masterId !== undefined && masterId < versionId) {
    // The master is newer and stays.
    if (isNull !== true) return { operations, versionId };
    // There is one null version: this one is gone if the master is it, and has moved to the null key if not.
    if (master.isNull) return { operations: [], versionId };
    return { operations: [put(nullKey(key), value), del(versionKey(key, versionId))], versionId };
  }
  if (isNull !== undefined && master.isNull && !master.isNull2 && masterId !== undefined) {
    operations.push(del(versionKey(key, masterId)));
  }
  let newMaster = value;
  if (masterId !== versionId || isNull === undefined) {
    const kept = nullIdOf(master, masterId);
    if (kept === undefined) {
      if (isNull === true) operations.push(del(nullKey(key)));
    } else if (isNull === false) {
      operations.push(put(nullKey(key), toText({ ...master, versionId: kept, isNull: true, isNull2: true })));
    } else {
      operations.push(put(versionKey(key, kept), toText({ ...master, versionId: kept, isNull: true })));
      if (masterId !== versionId) newMaster = withMembers(value, { nullVersionId: kept });
    }
  }
  operations.push(put(key, newMaster));
  return { operations, versionId };
}

/** The id under which the master that is replaced lives on as the null version; `undefined` when it is none. */
function nullIdOf(master: VersionValue, masterId: string | undefined): string | undefined {
  if (masterId === undefined) return INFINITE_VERSION_ID;
  return master.isNull ? masterId : undefined;
}

function put(key: string, value: string): KeyOperation {
  return { type: 'put', key, value };
}

function del(key: string): KeyOperation {
  return { type: 'del', key };
}
