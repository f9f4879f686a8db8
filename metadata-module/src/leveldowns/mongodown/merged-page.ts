/** A page of the data collection with the overlay laid over it. */
import type { Bounds, Page, PageRequest } from './data-reader.js';
import type { Overlay, OverlayValue } from './overlay.js';

/** Ids and values in the order of the iterator. Values are empty where none were asked for. */
export type PageEntry = readonly [id: string, value: Buffer];

export interface MergedPage {
  readonly entries: readonly PageEntry[];
  /** Where the range goes on, or `undefined` at its end. */
  readonly rest: Bounds | undefined;
}

const NO_VALUE = Buffer.alloc(0);

/** @param page what the collection held, read while `overlay` was held */
export function mergePage(
  { bounds, reverse, values }: PageRequest,
  page: Page,
  overlay: Overlay,
): MergedPage {
  const { last } = page;
  const covered =
    last === undefined ? bounds : reverse ? { ...bounds, ...from(last) } : { ...bounds, ...upTo(last) };
  const known = overlay.select(id => isWithin(id, covered));
  const overlaid = new Map<string, OverlayValue>(known);
  const stored = page.documents
    .filter(({ _id }) => !overlaid.has(_id))
    .map(({ _id, v }): PageEntry => [_id, v ?? NO_VALUE]);
  const added = known.flatMap(([id, value]): PageEntry[] =>
    value === null ? [] : [[id, values ? value : NO_VALUE]],
  );
  return {
    entries: inOrder(stored, added, reverse),
    rest: last === undefined ? undefined : after(bounds, last, reverse),
  };
}

/** True when an id is inside bounds. */
export function isWithin(id: string, { gt, gte, lt, lte }: Bounds): boolean {
  if (gt !== undefined && id <= gt) return false;
  if (gte !== undefined && id < gte) return false;
  if (lt !== undefined && id >= lt) return false;
  return lte === undefined || id <= lte;
}

/** The bounds of what comes after `id`. */
function after(bounds: Bounds, id: string, reverse: boolean): Bounds {
  return reverse ? { ...lower(bounds), lt: id } : { ...upper(bounds), gt: id };
}

/** Bounds with `id` (inclusive) as the nearer end. */
export function startingAt(bounds: Bounds, id: string, reverse: boolean): Bounds {
  return reverse ? { ...lower(bounds), lte: id } : { ...upper(bounds), gte: id };
}

function lower({ gt, gte }: Bounds): Bounds {
  return gte === undefined ? (gt === undefined ? {} : { gt }) : { gte };
}

function upper({ lt, lte }: Bounds): Bounds {
  return lte === undefined ? (lt === undefined ? {} : { lt }) : { lte };
}

const from = (gte: string): Bounds => ({ gte });
const upTo = (lte: string): Bounds => ({ lte });

/** Merges two ordered lists without a common id; `added` ascends, also where `stored` descends. */
function inOrder(stored: readonly PageEntry[], added: PageEntry[], reverse: boolean): PageEntry[] {
  if (added.length === 0) return [...stored];
  if (reverse) added.reverse();
  const merged: PageEntry[] = [];
  let next = 0;
  for (const entry of stored) {
    for (let other = added[next]; other !== undefined; other = added[next]) {
      if (reverse ? other[0] < entry[0] : other[0] > entry[0]) break;
      merged.push(other);
      next += 1;
    }
    merged.push(entry);
  }
  return merged.concat(added.slice(next));
}
