/** Random scripts: groups of calls that are made at the same time, and what happens to the module in between. */
import fc from 'fast-check';
import type { Call, DelCall, GetCall, IdRef, ListCall, PutCall } from './calls.js';

/** What becomes of a batch. */
export interface BatchFault {
  /** The store must be opened again after `broken`; of `unavailable` it knows by itself. */
  readonly error: 'broken' | 'unavailable';
  readonly applied: boolean;
}

export type Step =
  | {
      readonly step: 'calls';
      readonly drafts: readonly DraftText[];
      /** Of the first batches that the calls lead to; `null` for one that does not fail. */
      readonly faults?: readonly (BatchFault | null)[];
    }
  /** The module stops and starts again. */
  | { readonly step: 'restart' }
  /** The system's clock jumps by so many milliseconds. */
  | { readonly step: 'clock'; readonly ms: number };

type Text = '' | 'null' | IdRef;

/** What a failing case shows. */
export type DraftText = Draftable<PutCall> | Draftable<GetCall> | Draftable<DelCall> | ListCall;
type Draftable<C extends { versionId?: string }> = Omit<C, 'versionId' | 'value' | 'ifCurrent'> & {
  readonly versionId?: Text;
  readonly value?: ValueDraft;
  readonly ifCurrent?: Expectation | undefined;
};

/** The current value is as stored before the calls of this step, or there is none. */
type Expectation = 'as before' | 'none';

/** `versionId: 'same'` is the id that the put names. */
type ValueDraft =
  | string
  | {
      readonly n: number;
      readonly versionId?: IdRef | 'same' | undefined;
      readonly isNull?: boolean | undefined;
      readonly isNull2?: boolean | undefined;
      readonly nullVersionId?: string | undefined;
    };

const weighted = <T>(...choices: readonly [number, T][]) =>
  fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));

const db = weighted<readonly string[]>([10, ['bucket']], [1, ['bucket2']], [1, ['outer', 'inner']], [1, []]);
const key = weighted<string>([8, 'a'], [3, 'b'], [1, 'a!'], [1, 'é😀'], [1, '😀']);
const idRef: fc.Arbitrary<IdRef> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ ref: fc.constant('issued' as const), n: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ ref: fc.constantFrom('past' as const, 'future' as const) }) },
  { weight: 2, arbitrary: fc.record({ ref: fc.constant('infinite' as const) }) },
);
const value: fc.Arbitrary<ValueDraft> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record(
      {
        n: fc.nat(9),
        versionId: fc.oneof(fc.constant('same' as const), idRef),
        isNull: fc.boolean(),
        isNull2: fc.boolean(),
        nullVersionId: fc.constant('some'),
      },
      { requiredKeys: ['n'] },
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom('{}', ' { "n" : 1 } ', 'text', '[]', '"x}"') },
);
const isNull = fc.constantFrom(undefined, undefined, true, false);
const anyId: fc.Arbitrary<Text | undefined> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constantFrom('' as const, 'null' as const) },
  { weight: 4, arbitrary: idRef },
);
const bound = fc.option(fc.constantFrom('', 'a', 'a\0', 'a\u0001', 'b', 'é', '\uffff', '😀', '\u{10ffff}'), {
  nil: undefined,
});

const put = fc.record({
  call: fc.constant('put' as const),
  db,
  key,
  value,
  versioning: fc.oneof(fc.constant(false), fc.boolean()),
  versionId: anyId,
  isNull,
  deleteNullKey: fc.boolean(),
  ifCurrent: fc.constantFrom<(Expectation | undefined)[]>(undefined, undefined, 'as before', 'none'),
});
const get = fc.record({ call: fc.constant('get' as const), db, key, versionId: anyId });
const del = fc.record({ call: fc.constant('del' as const), db, key, versionId: anyId, isNull });
const list = fc.record({
  call: fc.constant('list' as const),
  db,
  gt: bound,
  gte: bound,
  lt: bound,
  lte: bound,
  limit: fc.constantFrom(undefined, undefined, -1, 0, 1, 3),
  reverse: fc.constantFrom(undefined, true, false),
});

const draft = fc.oneof(
  { weight: 8, arbitrary: put },
  { weight: 4, arbitrary: get },
  { weight: 5, arbitrary: del },
  { weight: 2, arbitrary: list },
) as fc.Arbitrary<DraftText>;

const fault = fc.option(
  fc.record({ error: fc.constantFrom('broken' as const, 'unavailable' as const), applied: fc.boolean() }),
  { nil: null, freq: 2 },
);

/**
 * @param clients the most calls that are made at the same time.
 * @param failing batches may fail.
 */
export function scripts(clients: number, failing = false): fc.Arbitrary<readonly Step[]> {
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({
        step: fc.constant('calls' as const),
        drafts: fc.array(draft, { minLength: 1, maxLength: clients }),
        ...(failing && { faults: fc.array(fault, { maxLength: 4 }) }),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ step: 'restart' } as const) },
    {
      weight: 1,
      arbitrary: fc.record({
        step: fc.constant('clock' as const),
        ms: fc.integer({ min: -100_000, max: 100_000 }),
      }),
    },
  );
  return fc.array(step, { maxLength: 25 });
}

/** The call that a draft stands for, now that ids are known. */
export function finish(
  drafted: DraftText,
  resolve: (ref: IdRef) => string,
  currentOf: (db: readonly string[], key: string) => string | undefined,
): Call {
  if (drafted.call === 'list') return withoutUndefined(drafted);
  const { versionId: text, value: valueDraft, ifCurrent: expectation, ...rest } = drafted;
  const versionId = typeof text === 'object' ? resolve(text) : text;
  const call = { ...rest, versionId };
  if (drafted.call !== 'put') return withoutUndefined(call) as Call;
  const value = valueText(valueDraft ?? '{}', versionId, resolve);
  const expected = expectation === 'as before' ? (currentOf(drafted.db, drafted.key) ?? null) : null;
  const ifCurrent = expectation === undefined ? undefined : expected;
  return withoutUndefined({ ...call, value, ifCurrent }) as Call;
}

function valueText(
  draftOfValue: ValueDraft,
  putId: string | undefined,
  resolve: (ref: IdRef) => string,
): string {
  if (typeof draftOfValue === 'string') return draftOfValue;
  const { versionId: ref, ...members } = draftOfValue;
  const same = putId === '' || putId === 'null' ? undefined : putId;
  const versionId = ref === 'same' ? same : ref && resolve(ref);
  return JSON.stringify({ ...members, versionId });
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}
