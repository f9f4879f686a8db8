/**
 * Entries with a few members of their values in place of the values: a listing shows five of some fifty, and to send
 * and parse all of them takes most of its time.
 */
import { z } from 'zod';
import type { TextEntry } from '../store/entry-iterator.js';
import { parseValue } from '../versioning/version-value.js';
import { check, options } from './arguments.js';
import { type Member, ValueShapes } from './value-shapes.js';

const MAX_NAMES = 32;
const MAX_NAME_LENGTH = 256;
/** Far more than an object of 10,000 parts has. Parsing takes time in which nothing else is done. */
const MAX_PARSED_LENGTH = 8 * 1024 * 1024;
/** Lists of names whose shapes are known: clients have one or two. */
const MAX_LISTS = 16;

const wantedMembers = options({
  members: z.array(z.string().max(MAX_NAME_LENGTH)).max(MAX_NAMES),
});

/** The key, then the members in the order asked for; `null` is one that is not there, and those at the end are left out. */
export type EntryMembers = readonly [key: string, ...members: Member[]];

/**
 * Tells the members of entries. An entry comes as it is when they cannot be told so: its value is not the JSON of an
 * object, is very large, or has one of them that is not a text, a finite number or a boolean.
 */
export type MembersReader = (entry: TextEntry) => EntryMembers | TextEntry;

const known = new Map<string, MembersReader>();

/** @throws CatalogueError InvalidArgument that names the argument and what is accepted. */
export function checkMembers(value: unknown): MembersReader {
  const { members } = check('options', wantedMembers, value);
  const list = JSON.stringify(members);
  const reader = known.get(list) ?? membersReader(members);
  if (known.size >= MAX_LISTS) known.clear();
  known.set(list, reader);
  return reader;
}

export function membersReader(names: readonly string[]): MembersReader {
  const shapes = new ValueShapes(names);
  return entry => {
    const { key, value } = entry;
    const found = shapes.find(value);
    if (found) return [key, ...found];
    const parsed = value.length > MAX_PARSED_LENGTH ? undefined : parseValue(value);
    const members = parsed && membersOf(parsed, names);
    if (!members) return entry;
    shapes.learn(value, parsed, members);
    return [key, ...members];
  };
}

/** `undefined` when one of them cannot be told. */
export function membersOf(
  parsed: Readonly<Record<string, unknown>>,
  names: readonly string[],
): Member[] | undefined {
  const members: Member[] = [];
  let end = 0;
  for (const name of names) {
    const member = Object.hasOwn(parsed, name) ? parsed[name] : undefined;
    if (member === undefined) members.push(null);
    else if (isPlain(member)) end = members.push(member);
    else return undefined;
  }
  members.length = end;
  return members;
}

function isPlain(member: unknown): member is string | number | boolean {
  return typeof member === 'string' || typeof member === 'boolean' || Number.isFinite(member);
}
