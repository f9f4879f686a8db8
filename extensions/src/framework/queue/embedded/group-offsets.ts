/**
 * The committed positions of the consumer groups: `<queue>/<topic>/groups/<group>.json`, replaced in place.
 * A group's file is written by the member that holds the group's lease.
 */
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '@zenko-modules/common/sync-folder';
import { createSlotFile, readSlotFile, writeSlotFile } from '../../files/slot-file.js';
import { formatPosition, parsePosition, type Position, START } from './segments.js';

const SUFFIX = '.json';

export function groupsFolder(topicFolder: string): string {
  return path.join(topicFolder, 'groups');
}

/** Where a member's lease lies. */
export function leasePath(topicFolder: string, group: string): string {
  return path.join(groupsFolder(topicFolder), `${group}.lease`);
}

/** What the group has committed; `undefined` for a new group. @throws Error naming the file when it is damaged. */
export async function readCommitted(topicFolder: string, group: string): Promise<Position | undefined> {
  const file = offsetPath(topicFolder, group);
  try {
    const content = (await readSlotFile(file)) as { readonly position?: unknown } | undefined;
    return content && parsePosition(String(content.position));
  } catch (err) {
    throw new Error(`${file} is damaged; remove it to read the topic from its oldest message`, {
      cause: err,
    });
  }
}

/** Durable when it resolves. Needs no more room on the disk. */
export async function commit(topicFolder: string, group: string, position: Position): Promise<void> {
  await writeSlotFile(offsetPath(topicFolder, group), toContent(position));
}

function offsetPath(topicFolder: string, group: string): string {
  return path.join(groupsFolder(topicFolder), group + SUFFIX);
}

function toContent(position: Position) {
  return { position: formatPosition(position), committedAt: new Date().toISOString() };
}

/** Makes a new group known, so that what it has not read is kept; any of its members may. Resolves with where it goes on. */
export async function registerGroup(topicFolder: string, group: string): Promise<Position> {
  await makeFolder(groupsFolder(topicFolder));
  const committed = await readCommitted(topicFolder, group);
  if (committed) return committed;
  await createSlotFile(offsetPath(topicFolder, group), toContent(START));
  return (await readCommitted(topicFolder, group)) ?? START;
}

/** The lowest segment that a group still needs; `undefined` when the topic has no group yet. */
export async function lowestNeededSegment(topicFolder: string): Promise<number | undefined> {
  const groups = (await readdir(groupsFolder(topicFolder)))
    .filter(name => name.endsWith(SUFFIX))
    .map(name => name.slice(0, -SUFFIX.length));
  let lowest: number | undefined;
  for (const group of groups) {
    const segment = (await readCommitted(topicFolder, group))?.segment ?? START.segment;
    lowest = Math.min(lowest ?? segment, segment);
  }
  return lowest;
}
