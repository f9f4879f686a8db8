/** The text that an object value was read from, by which a change names what it replaces. */
import { createHash } from 'node:crypto';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { ObjectValue } from './object-value.js';

/** With the value itself: a WeakMap of all that are read takes a tenth of the time of a PUT. */
const TEXT = Symbol('stored text');

/** A copy of the value does not have it. */
export function keepText(value: ObjectValue, stored: string): ObjectValue {
  return Object.defineProperty(value, TEXT, { value: stored, configurable: true });
}

/** Of the text that a value was read from. */
export function storedSha256(value: ObjectValue): string {
  const stored: unknown = Reflect.get(value, TEXT);
  if (typeof stored !== 'string')
    throw new CatalogueError('InternalError', 'a value that is to be compared was not read');
  return sha256Of(stored);
}

export function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
