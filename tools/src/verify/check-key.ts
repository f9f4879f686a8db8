/** What is wrong with the entries of one key, and what would put it right without losing anything. */
import {
  type ExpectedEntry,
  type NewEntry,
  sha256Of,
} from '@zenko-modules/metadata-module/versioning/compare-and-swap';
import { planRepair } from '@zenko-modules/metadata-module/versioning/plan-repair';
import { idOf, toText, type VersionValue } from '@zenko-modules/metadata-module/versioning/version-value';
import { parseEntryKey } from '../metadata/entry-key.js';
import type { KeyGroup, StoredValue, StoredVersion } from './key-group.js';

export interface KeyFinding {
  readonly kind: string;
  /** `undefined`: it is about the master. */
  readonly versionId: string | undefined;
  readonly text: string;
  /** The entries that it was concluded from, as they were then. */
  readonly seen: readonly ExpectedEntry[];
  /** What would put it right; `undefined`: only a person can tell. */
  readonly repair: readonly NewEntry[] | undefined;
}

/** A place holder is repaired 15 s after its deletion; one that is much older waits for a `get` that may never come. */
const PLACE_HOLDER_MS = 5 * 60_000;
const MAX_TIME = 99_999_999_999_999;

/** @param now in milliseconds since the epoch */
export function checkKey(group: KeyGroup, now: number): KeyFinding[] {
  const { master, nullVersion } = group;
  const findings = group.wrong.map(version => wrongVersion(group, version));
  if (nullVersion !== undefined && nullVersion.value === undefined) {
    findings.push(finding(group, 'value is not JSON', 'null', 'its value is no JSON object', undefined));
  }
  if (master === undefined) {
    if (group.newest !== undefined || nullVersion !== undefined) {
      findings.push(
        finding(group, 'no master', undefined, 'it has versions, but no master', newestAsMaster(group)),
      );
    }
    return findings;
  }
  if (master.value === undefined) {
    findings.push(
      finding(
        group,
        'value is not JSON',
        undefined,
        'its master is no JSON object',
        group.newest === undefined && nullVersion === undefined ? undefined : newestAsMaster(group),
      ),
    );
    return findings;
  }
  if (master.value.isPHD === true) {
    if (now - madeAt(idOf(master.value)) > PLACE_HOLDER_MS) {
      findings.push(
        finding(
          group,
          'place holder',
          undefined,
          'its master is a place holder that was never replaced',
          newestAsMaster(group),
        ),
      );
    }
    return findings;
  }
  const disagreement = checkMaster(group, master.value);
  if (disagreement !== undefined) findings.push(disagreement);
  return findings;
}

/** What the master, whose value is sound, and the versions disagree in. */
function checkMaster(group: KeyGroup, master: VersionValue): KeyFinding | undefined {
  const { newest, nullVersion, own } = group;
  const id = idOf(master);
  const isOldest = id === undefined;
  if (newest !== undefined && (isOldest || newest.versionId < id)) {
    const text = `version ${JSON.stringify(newest.versionId)} is newer than its master`;
    return finding(group, 'master is not the newest', undefined, text, replaceOldMaster(group, master));
  }
  if (id !== undefined && own === undefined && master.isNull !== true) {
    const text = `its master is version ${JSON.stringify(id)}, which is not stored`;
    return finding(group, 'version is missing', id, text, [{ versionId: id, value: asVersion(master) }]);
  }
  // Under the id of a master that is a null version lies what it was before its last change.
  const isOwnSound = own?.value !== undefined && !group.wrong.includes(own) && master.isNull !== true;
  if (isOwnSound && asVersion(own.value) !== asVersion(master)) {
    const text = 'its master is not what the version of the same id is';
    const kept = master.nullVersionId === undefined ? {} : { nullVersionId: master.nullVersionId };
    const value = Object.keys(kept).length === 0 ? own.text : toText({ ...own.value, ...kept });
    return finding(group, 'master differs', undefined, text, [{ value }]);
  }
  if (master.isNull === true && nullVersion !== undefined) {
    return finding(
      group,
      'two null versions',
      'null',
      'its master is a null version, and there is another',
      undefined,
    );
  }
  return undefined;
}

function wrongVersion(group: KeyGroup, { versionId, value }: StoredVersion): KeyFinding {
  const { master } = group;
  const copy = idOf(master?.value) === versionId ? master?.value : undefined;
  const repair = copy && [{ versionId, value: asVersion(copy) }];
  return value === undefined
    ? finding(group, 'value is not JSON', versionId, 'its value is no JSON object', repair)
    : finding(
        group,
        'version id differs',
        versionId,
        `its value says it is version ${JSON.stringify(idOf(value))}`,
        repair,
      );
}

function finding(
  group: KeyGroup,
  kind: string,
  versionId: string | undefined,
  text: string,
  repair: readonly NewEntry[] | undefined,
): KeyFinding {
  return { kind, versionId, text, seen: seenOf(group, versionId), repair };
}

/** The newest version becomes the master, as the module itself repairs one; not when what is newest is damaged. */
function newestAsMaster({ key, nullVersion, newest }: KeyGroup): NewEntry[] | undefined {
  if (newest !== undefined && newest.value === undefined) return undefined;
  if (nullVersion !== undefined && nullVersion.value === undefined) return undefined;
  const { operations } = planRepair(key, {
    nullVersion: nullVersion?.text,
    newest: newest && { versionId: newest.versionId, value: newest.text },
  });
  return operations.map(operation => ({
    versionId: parseEntryKey(operation.key).versionId,
    value: operation.type === 'put' ? operation.value : null,
  }));
}

/**
 * A master whose state exists nowhere else would be lost: one that has no version, and one that is a null version, for
 * under its id lies at most what it was before its last change.
 */
function replaceOldMaster(group: KeyGroup, master: VersionValue): NewEntry[] | undefined {
  const id = idOf(master);
  if (id === undefined || master.isNull === true) return undefined;
  const replaced = newestAsMaster(group);
  const { own } = group;
  if (own === undefined) return replaced && [{ versionId: id, value: asVersion(master) }, ...replaced];
  const isKept = own.value !== undefined && asVersion(own.value) === asVersion(master);
  return isKept ? replaced : undefined;
}

/** The text of a version; a master may name its null version beside. */
function asVersion(master: VersionValue): string {
  return toText(Object.fromEntries(Object.entries(master).filter(([name]) => name !== 'nullVersionId')));
}

function seenOf(
  { master, nullVersion, newest, own, wrong }: KeyGroup,
  versionId: string | undefined,
): ExpectedEntry[] {
  const versions = new Map<string, StoredValue>();
  for (const version of [newest, own, wrong.find(each => each.versionId === versionId)]) {
    if (version !== undefined) versions.set(version.versionId, version);
  }
  const seen: ExpectedEntry[] = [
    { sha256: hashOf(master) },
    { versionId: 'null', sha256: hashOf(nullVersion) },
    ...[...versions].map(([id, version]) => ({ versionId: id, sha256: hashOf(version) })),
  ];
  // That there is no such version is a part of what was seen.
  if (versionId !== undefined && versionId !== 'null' && !versions.has(versionId)) {
    seen.push({ versionId, sha256: null });
  }
  return seen;
}

function hashOf(stored: StoredValue | undefined): string | null {
  return stored === undefined ? null : sha256Of(stored.text);
}

/** When a version id was made, in milliseconds since the epoch. */
function madeAt(versionId: string | undefined): number {
  return MAX_TIME - Number(versionId?.slice(0, 14) ?? MAX_TIME);
}
