/** The entries of one key, as far as what they must agree in needs them: a key may have any number of versions. */
import { idOf, parseValue, type VersionValue } from '@zenko-modules/metadata-module/versioning/version-value';
import type { Entry } from '../metadata/metadata-client.js';
import { parseEntryKey } from '../metadata/entry-key.js';

export interface StoredVersion {
  readonly versionId: string;
  readonly text: string;
  readonly value: VersionValue | undefined;
}

export interface StoredValue {
  readonly text: string;
  /** `undefined`: it is not the JSON of an object. */
  readonly value: VersionValue | undefined;
}

export class KeyGroup {
  readonly key: string;
  master: StoredValue | undefined;
  nullVersion: StoredValue | undefined;
  /** Ids sort the newest first. */
  newest: StoredVersion | undefined;
  /** The version that the master is a copy of. */
  own: StoredVersion | undefined;
  /** Versions that are wrong in themselves; a few, for a key may have any number. */
  readonly wrong: StoredVersion[] = [];

  constructor(key: string) {
    this.key = key;
  }

  /** Entries come in byte order: the master, the null version, the versions from the newest on. */
  add({ key, value: text }: Entry): void {
    const { versionId } = parseEntryKey(key);
    const value = parseValue(text);
    if (versionId === undefined) {
      this.master = { text, value };
    } else if (versionId === 'null') {
      this.nullVersion = { text, value };
    } else {
      const version = { versionId, text, value };
      this.newest ??= version;
      if (idOf(this.master?.value) === versionId) this.own = version;
      const id = idOf(value);
      const isWrong = value === undefined || (id !== undefined && id !== versionId);
      if (isWrong && this.wrong.length < 100) this.wrong.push(version);
    }
  }
}

/** Joins entries in byte order to groups of one key each. */
export async function* groupsOf(entries: AsyncIterable<Entry>): AsyncGenerator<KeyGroup, void, undefined> {
  let group: KeyGroup | undefined;
  for await (const entry of entries) {
    const { key } = parseEntryKey(entry.key);
    if (group?.key !== key) {
      if (group !== undefined) yield group;
      group = new KeyGroup(key);
    }
    group.add(entry);
  }
  if (group !== undefined) yield group;
}
