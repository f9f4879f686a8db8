/** Looks for an order of calls that were made at the same time which, by the rules, leads to all that was seen. */
import type { LogItem } from '../../record-log/record.js';
import { type Call, canonical, type Content, type Outcome } from './calls.js';
import { agrees, type Sight } from './readers.js';
import { Rules, type Seen } from './rules.js';
import { canonicalContent, show } from './stored.js';

export interface MadeCall {
  readonly call: Call;
  readonly outcome: Outcome;
}

export interface Observed {
  readonly before: Rules;
  readonly made: readonly MadeCall[];
  /** Batches have failed: what a call changes may be missing where its client was told so, or was not told of it. */
  readonly failing: boolean;
  readonly ids: WrittenIds;
  /** What is stored afterwards, canonical. */
  readonly after: Content;
  /** Of each reader beside the calls what it saw, in its order. */
  readonly sights: readonly (readonly Sight[])[];
}

/** The rules after the calls; `undefined` when no order, with some of the failed calls carried out, explains it. */
export function explain({ before, made, failing, ids, after, sights }: Observed): Rules | undefined {
  const goal = show(after);
  for (const order of orders(made)) {
    for (const carriedOut of failing ? choices(order) : [order.map(() => true)]) {
      const rules = before.copy();
      const states: Content[] = [before.content];
      const { placeHolderId, untoldId } = ids.taken();
      const allowed = order.every(({ call, outcome }, index) => {
        const seen = { outcome, placeHolderId, untoldId };
        if (!carriedOut[index]) return 'failed' in outcome || rules.copy().allows(call, seen);
        if (!rules.allows(call, seen)) return false;
        states.push(rules.copy().content);
        return true;
      });
      if (!allowed || show(canonicalContent(rules.content)) !== goal) continue;
      if (sights.length === 0) return rules;
      const canonicalStates = states.map(canonicalContent);
      if (sights.every(seen => isPassage(canonicalStates, seen))) return rules;
    }
  }
  return undefined;
}

/** New ids that the log tells of, by the masters that were written under them. */
export class WrittenIds {
  readonly #placeHolders = new Map<string, string[]>();
  readonly #untold = new Map<string, string[]>();

  /** @param known ids that are not new, or that a client was told of. */
  constructor(records: readonly LogItem[], known: ReadonlySet<string>) {
    for (const { db, entries } of records) {
      const [{ key, value }] = entries;
      const { isPHD, versionId } = members(value);
      if (typeof versionId !== 'string' || key.includes('\0')) continue;
      if (isPHD === true) append(this.#placeHolders, `${db} ${key}`, versionId);
      else if (!known.has(versionId)) append(this.#untold, `${db} ${key}`, versionId);
    }
  }

  /** New ids of versions that no client was told of. */
  get untold(): readonly string[] {
    return [...this.#untold.values()].flat();
  }

  /** Gives each id once, in the order of the log. */
  taken(): Required<Omit<Seen, 'outcome'>> {
    const from = (written: ReadonlyMap<string, readonly string[]>): Required<Seen>['untoldId'] => {
      const left = new Map([...written].map(([key, ids]) => [key, [...ids]]));
      return (db, key) => left.get(`${db} ${key}`)?.shift();
    };
    return { placeHolderId: from(this.#placeHolders), untoldId: from(this.#untold) };
  }
}

/** The sights are some of the states, in their order. */
function isPassage(states: readonly Content[], sights: readonly Sight[]): boolean {
  let reached = 0;
  return sights.every(sight => {
    const index = states.findIndex((state, at) => at >= reached && agrees(sight, state));
    reached = index;
    return index !== -1;
  });
}

/** Every order in which calls that were made at the same time may have been carried out. */
function orders<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, index) =>
    orders([...items.slice(0, index), ...items.slice(index + 1)]).map(rest => [item, ...rest]),
  );
}

/**
 * Every way in which calls may have been carried out while batches failed. One that was answered has been, but for
 * the repair of a master behind the answer of a `get`.
 */
function choices([first, ...rest]: readonly MadeCall[]): boolean[][] {
  if (first === undefined) return [[]];
  const { call, outcome } = first;
  const isRead = call.call === 'get' || call.call === 'list';
  const own =
    'failed' in outcome ? (isRead ? [false] : [true, false]) : call.call === 'get' ? [true, false] : [true];
  return own.flatMap(one => choices(rest).map(others => [one, ...others]));
}

function members(value = ''): Readonly<Record<string, unknown>> {
  const text = canonical(value);
  return text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
}

function append(map: Map<string, string[]>, key: string, id: string): void {
  const ids = map.get(key) ?? [];
  if (!ids.includes(id)) map.set(key, [...ids, id]);
}
