import type { ListedValue } from '../listing/listed-value.js';
import { writeElements } from '../xml.js';

/** Whose an object of a listing is. */
export function writeOwner(value: ListedValue): string {
  return writeElements('Owner', { ID: value['owner-id'], DisplayName: value['owner-display-name'] });
}
