/** The calls of namespace /MDFile/metadata. */
import { type RpcCall, type RpcService, StreamResult } from '@zenko-modules/rpc/service';
import { METADATA_NAMESPACE } from '@zenko-modules/rpc/wire';
import type { DiskUsage } from '@zenko-modules/common/disk-usage';
import type { VersionedDatabases } from '../versioning/versioned-databases.js';
import {
  checkDatabase,
  checkDeleteOptions,
  checkExpectedEntries,
  checkGetOptions,
  checkGets,
  checkKey,
  checkKeyRange,
  checkNewEntries,
  checkPutOptions,
  checkValue,
} from './arguments.js';
import { checkMembers } from './read-members.js';

export interface MetadataServiceOptions {
  readonly databases: VersionedDatabases;
  /** The deployment's id. */
  readonly uuid: string;
  readonly diskUsage: () => Promise<DiskUsage>;
}

export function metadataService({ databases, uuid, diskUsage }: MetadataServiceOptions): RpcService {
  return {
    namespace: METADATA_NAMESPACE,
    calls: {
      createReadStream: async ({ subLevel, args: [range] }) =>
        new StreamResult(await databases.list(checkDatabase(subLevel), checkKeyRange(range))),

      rawListKeys: async ({ args: [range] }) =>
        new StreamResult(await databases.listRawKeys(checkKeyRange(range))),

      getUUID: () => Promise.resolve(uuid),

      /**
       * `(key, value, options)`. Ours among the options: `ifCurrent: { sha256 }` and `ifEntry: { subLevel, key, sha256 }`, see
       * `Conditions`. For a put that may come long after its caller has given it up: it must not undo what came since.
       */
      put: async ({ subLevel, args: [key, value, options], signal }: RpcCall) =>
        answer(
          await databases.put(
            checkDatabase(subLevel),
            checkKey(key),
            checkValue(value),
            checkPutOptions(options),
            signal,
          ),
        ),

      del: async ({ subLevel, args: [key, options], signal }: RpcCall) =>
        answer(
          await databases.del(checkDatabase(subLevel), checkKey(key), checkDeleteOptions(options), signal),
        ),

      get: ({ subLevel, args: [key, options] }: RpcCall) =>
        databases.get(checkDatabase(subLevel), checkKey(key), checkGetOptions(options)),

      /** Ours: `([[subLevel, key, options], ...])` → the values, `null` for each that is not there, in one message. */
      getMany: async ({ args: [wanted] }: RpcCall) =>
        Promise.all(
          checkGets(wanted).map(async ([subLevel, key, options]) => {
            const value = await databases.find(
              checkDatabase(subLevel),
              checkKey(key),
              checkGetOptions(options),
            );
            return value ?? null;
          }),
        ),

      getDiskUsage: () => diskUsage(),

      /**
       * Ours: `({ gt, gte, lt, lte, limit, reverse }, { members: [name, ...] })` → a stream of `[key, member, ...]`, see
       * `MembersReader`. For listings, which show little of each value.
       */
      readMembers: async ({ subLevel, args: [range, options] }: RpcCall) =>
        new StreamResult(
          await databases.listAs(checkDatabase(subLevel), checkKeyRange(range), checkMembers(options)),
        ),

      /**
       * Ours: `(key, [{ versionId?, sha256 }], [{ versionId?, value }])` → `{ swapped }`, see
       * `VersionedDatabases.compareAndSwap`. For repairs, which must not undo a write that comes in between.
       */
      compareAndSwap: async ({ subLevel, args: [key, expected, replacements] }: RpcCall) => ({
        swapped: await databases.compareAndSwap(
          checkDatabase(subLevel),
          checkKey(key),
          checkExpectedEntries(expected),
          checkNewEntries(replacements),
        ),
      }),
    },
  };
}

function answer(versionId: string | undefined): string | undefined {
  return versionId === undefined ? undefined : JSON.stringify({ versionId });
}
