/** Masters, versions and null versions against each other, key by key, while they are written to. */
import type { MetadataClient } from '../metadata/metadata-client.js';
import { entriesOfKey } from '../metadata/entry-key.js';
import { checkKey, type KeyFinding } from './check-key.js';
import { groupsOf, type KeyGroup } from './key-group.js';

/** A key that is written to each time it is looked at is not judged. */
const CHANGES = 10;

export interface DatabaseObserver {
  onKey(): void;
  onFinding(database: string, key: string, finding: KeyFinding, repaired: boolean): void;
  /** Told of a key that was written to each time it was looked at. */
  onUnjudged(database: string, key: string): void;
}

/**
 * Looks at every key of a database. What a listing shows may be torn by a write: whatever looks wrong is read again, and
 * counts only when the module finds it just so at a moment in which nobody writes to the key.
 */
export async function verifyDatabase(
  client: MetadataClient,
  database: string,
  repair: boolean,
  observer: DatabaseObserver,
): Promise<void> {
  for await (const group of groupsOf(client.entries(database))) {
    observer.onKey();
    if (checkKey(group, Date.now()).length > 0)
      await lookAgain(client, database, group.key, repair, observer);
  }
}

async function lookAgain(
  client: MetadataClient,
  database: string,
  key: string,
  repair: boolean,
  observer: DatabaseObserver,
): Promise<void> {
  const told = new Set<string>();
  for (let changes = 0; changes < CHANGES;) {
    const group = await readGroup(client, database, key);
    const findings = (group === undefined ? [] : checkKey(group, Date.now())).filter(
      finding => !told.has(idOf(finding)),
    );
    if (findings.length === 0) return;
    for (const finding of findings) {
      const replacements = repair ? (finding.repair ?? []) : [];
      if (!(await client.compareAndSwap(database, key, finding.seen, replacements))) {
        changes += 1;
        break;
      }
      told.add(idOf(finding));
      observer.onFinding(database, key, finding, replacements.length > 0);
      // The other findings were concluded from what was there before.
      if (replacements.length > 0) break;
    }
  }
  observer.onUnjudged(database, key);
}

const idOf = ({ kind, versionId = '' }: KeyFinding): string => `${kind} ${versionId}`;

async function readGroup(
  client: MetadataClient,
  database: string,
  key: string,
): Promise<KeyGroup | undefined> {
  for await (const group of groupsOf(client.entries(database, entriesOfKey(key)))) return group;
  return undefined;
}
