import type { ObjectValue } from '../object-value.js';

/** The object that a client sees: none where the newest version is a delete marker. */
export function existing(current: ObjectValue | undefined): ObjectValue | undefined {
  return current?.isDeleteMarker === true ? undefined : current;
}

/** When the key's first object was stored, carried from one to the next. */
export function creationTimeOf(current: ObjectValue | undefined): string | undefined {
  return current && (current['creation-time'] ?? current['last-modified']);
}
