/**
 * The rules of versioning, as a plain model in memory. It follows the text of the interface, rule by rule,
 * and knows nothing of how the module does it.
 */
import {
  canonical,
  type Call,
  type Content,
  type DelCall,
  type GetCall,
  type ListCall,
  type Outcome,
  type PutCall,
} from './calls.js';

const INFINITE = `${'9'.repeat(20)}RG001  `;
const NEW_ID = /^\d{20}RG001 {2}\d+$/;

type Json = Readonly<Record<string, unknown>>;

/** What a step of the model may not know by itself. */
export interface Seen {
  /** What the client saw: new ids are taken from it, all else must agree with the rules. */
  readonly outcome: Outcome;
  /** The new ids in masters of a key that no client was told of, in the order in which they were written. */
  readonly untoldId?: (db: string, key: string) => string | undefined;
  /** The ids of the place holders that were written for a key, in that order; one is taken by each that the rules ask for. */
  readonly placeHolderId: (db: string, key: string) => string | undefined;
}

export class Rules {
  readonly #databases: Map<string, Map<string, string>>;

  constructor(content: Content = new Map()) {
    this.#databases = new Map([...content].map(([db, entries]) => [db, new Map(entries)]));
  }

  get content(): Content {
    return new Map([...this.#databases].filter(([, entries]) => entries.size > 0));
  }

  copy(): Rules {
    return new Rules(this.#databases);
  }

  /** Carries a call out, also one that failed; false when the rules do not allow what was seen. */
  allows(call: Call, seen: Seen): boolean {
    const db = call.db.join('#');
    let entries = this.#databases.get(db);
    entries ??= new Map<string, string>();
    this.#databases.set(db, entries);
    const step = new Step(db, entries, seen);
    switch (call.call) {
      case 'put':
        return step.put(call);
      case 'get':
        return step.get(call);
      case 'del':
        return step.del(call);
      case 'list':
        return step.list(call);
    }
  }
}

class Step {
  readonly #db: string;
  readonly #entries: Map<string, string>;
  readonly #seen: Seen;

  constructor(db: string, entries: Map<string, string>, seen: Seen) {
    this.#db = db;
    this.#entries = entries;
    this.#seen = seen;
  }

  put(call: PutCall): boolean {
    const { key, value, versioning = false, versionId, isNull, deleteNullKey = false, ifCurrent } = call;
    if (ifCurrent !== undefined && !this.#isCurrent(key, ifCurrent)) return this.#fails('PreconditionFailed');
    // 1. no versioning, no versionId: write the master
    if (!versioning && versionId === undefined) {
      this.#entries.set(key, value);
      return this.#answers(undefined);
    }
    if (versionId === undefined || versionId === '') {
      if (objectOf(value) === undefined) return this.#fails('InvalidArgument');
      const id = this.#newId(key);
      if (id === undefined) return false;
      const stored = JSON.stringify({ ...objectOf(value), versionId: id });
      this.#entries.set(key, stored);
      // 2. versioning: write master and version key
      if (versioning) this.#entries.set(`${key}\0${id}`, stored);
      // 3. versionId '': the master only; with deleteNullKey, delete the null key too
      else if (deleteNullKey) this.#entries.delete(`${key}\0`);
      return true;
    }
    // 4. versionId 'null': write the null key with the value as it is
    if (versionId === 'null') {
      this.#entries.set(`${key}\0`, value);
      return this.#answers(versionId);
    }
    return this.#putVersion(key, value, versionId, isNull);
  }

  /** Rule 5. */
  #putVersion(key: string, value: string, x: string, isNull: boolean | undefined): boolean {
    const stored = this.#entries.get(key);
    const m = stored === undefined ? undefined : objectOf(stored);
    if (stored !== undefined && m === undefined) return this.#fails('InvalidArgument');
    const mId = m?.['versionId'] as string | undefined;
    const isReplaced = m !== undefined && (mId === undefined || mId >= x);
    // I of (b): the id under which a replaced null master lives on
    let i: string | undefined;
    if (isReplaced && mId === undefined) i = INFINITE;
    else if (isReplaced && m['isNull'] && (mId !== x || isNull === undefined)) i = mId;
    const namesI = i !== undefined && isNull !== false && mId !== x;
    if (namesI && objectOf(value) === undefined) return this.#fails('InvalidArgument');

    // write version key X, unless isNull === true
    if (isNull !== true) this.#entries.set(`${key}\0${x}`, value);
    if (m === undefined) {
      // no M: write the master too
      this.#entries.set(key, value);
    } else if (isReplaced) {
      // (a) isNull given, M is null and not isNull2, M has an id: delete version key of M's id
      if (isNull !== undefined && m['isNull'] && !m['isNull2'] && mId !== undefined) {
        this.#entries.delete(`${key}\0${mId}`);
      }
      // (b) if M's id is not X, or isNull is not given
      if (mId !== x || isNull === undefined) {
        if (isNull === true && i === undefined) {
          this.#entries.delete(`${key}\0`);
        } else if (i !== undefined) {
          const old = { ...m, versionId: i, isNull: true };
          if (isNull === false) this.#entries.set(`${key}\0`, JSON.stringify({ ...old, isNull2: true }));
          else this.#entries.set(`${key}\0${i}`, JSON.stringify(old));
        }
      }
      const master = namesI ? JSON.stringify({ ...objectOf(value), nullVersionId: i }) : value;
      // (d) write the master
      this.#entries.set(key, master);
    } else if (isNull === true && !m['isNull']) {
      // newer M that is not null: write the null key and delete version key X
      this.#entries.set(`${key}\0`, value);
      this.#entries.delete(`${key}\0${x}`);
    }
    // newer M otherwise: with isNull === true and M null nothing, else the version key alone, see above
    return this.#answers(x);
  }

  get({ key, versionId }: GetCall): boolean {
    if (versionId !== undefined && versionId !== '') {
      return this.#gets(this.#entries.get(versionId === 'null' ? `${key}\0` : `${key}\0${versionId}`));
    }
    this.#repair(key);
    return this.#gets(this.#entries.get(key));
  }

  del({ key, versionId, isNull = false }: DelCall): boolean {
    if (versionId === undefined || versionId === '') {
      this.#entries.delete(key);
      return this.#answers(undefined);
    }
    if (versionId === 'null') {
      this.#entries.delete(`${key}\0`);
      return this.#answers(versionId);
    }
    this.#entries.delete(isNull ? `${key}\0` : `${key}\0${versionId}`);
    const master = objectOf(this.#entries.get(key) ?? '');
    if (master?.['isPHD'] === true || (master !== undefined && master['versionId'] === versionId)) {
      const id = this.#seen.placeHolderId(this.#db, key);
      if (id === undefined) return false;
      this.#entries.set(key, JSON.stringify({ isPHD: true, versionId: id }));
    }
    return this.#answers(versionId);
  }

  list({ gt, gte, lt, lte, limit = -1, reverse = false }: ListCall): boolean {
    const { outcome } = this.#seen;
    if (!('entries' in outcome)) return false;
    const entries = [...this.#entries]
      .filter(
        ([key]) =>
          (gt === undefined || compare(key, gt) > 0) &&
          (gte === undefined || compare(key, gte) >= 0) &&
          (lt === undefined || compare(key, lt) < 0) &&
          (lte === undefined || compare(key, lte) <= 0),
      )
      .sort(([a], [b]) => compare(a, b));
    if (reverse) entries.reverse();
    const page = limit === -1 ? entries : entries.slice(0, limit);
    const form = (list: readonly (readonly [string, string])[]): string =>
      JSON.stringify(list.map(([key, value]) => [key, canonical(value)]));
    return form(page) === form(outcome.entries);
  }

  #isCurrent(key: string, expected: string | null): boolean {
    const current = this.#hasPlaceHolder(key) ? this.#newest(key)?.value : this.#entries.get(key);
    if (current === undefined || expected === null) return current === undefined && expected === null;
    if (canonical(current) !== canonical(expected)) return false;
    // Of the texts that the module has written itself, the model has others of the same JSON.
    return current === expected || !this.#fails('PreconditionFailed');
  }

  /** Among the version keys, the null key sorted in by the id inside its value, the newest becomes the master. */
  #repair(key: string): void {
    if (!this.#hasPlaceHolder(key)) return;
    const newest = this.#newest(key);
    if (newest === undefined) {
      this.#entries.delete(key);
      return;
    }
    this.#entries.set(key, newest.value);
    if (newest.isNull) this.#entries.delete(newest.stored);
  }

  #hasPlaceHolder(key: string): boolean {
    return objectOf(this.#entries.get(key) ?? '')?.['isPHD'] === true;
  }

  #newest(key: string) {
    const versions = [...this.#entries]
      .filter(([stored]) => stored.startsWith(`${key}\0`))
      .map(([stored, value]) => {
        const inKey = stored.slice(key.length + 1);
        const inValue = objectOf(value)?.['versionId'] as string | undefined;
        return { stored, value, isNull: inKey === '', id: inKey || (inValue ?? INFINITE) };
      })
      // a null version with the id of another is not newer than that
      .sort((a, b) => compare(a.id, b.id) || Number(a.isNull) - Number(b.isNull));
    return versions[0];
  }

  #newId(key: string): string | undefined {
    const { outcome, untoldId } = this.#seen;
    if ('failed' in outcome) return untoldId?.(this.#db, key);
    return 'answer' in outcome && outcome.answer !== undefined && NEW_ID.test(outcome.answer)
      ? outcome.answer
      : undefined;
  }

  #answers(versionId: string | undefined): boolean {
    const { outcome } = this.#seen;
    return 'failed' in outcome || ('answer' in outcome && outcome.answer === versionId);
  }

  #gets(value: string | undefined): boolean {
    const { outcome } = this.#seen;
    if (value === undefined) return this.#fails('ObjNotFound');
    return (
      'answer' in outcome && outcome.answer !== undefined && canonical(outcome.answer) === canonical(value)
    );
  }

  #fails(type: string): boolean {
    const { outcome } = this.#seen;
    return 'error' in outcome && outcome.error === type;
  }
}

function objectOf(value: string): Json | undefined {
  const text = canonical(value);
  return text.startsWith('{') && text.endsWith('}') ? (JSON.parse(text) as Json) : undefined;
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
