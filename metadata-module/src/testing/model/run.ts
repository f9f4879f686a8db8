/** Runs a script on the module's store and holds what clients saw, what is stored and what was logged to the rules. */
import assert from 'node:assert/strict';
import { isErrorType } from '@zenko-modules/common/errors';
import { silentLogger } from '@zenko-modules/common/logger';
import { LEVEL_ERRORS, LevelError } from '../../leveldowns/plugin.js';
import { MetadataStore } from '../../metadata-store.js';
import { Database } from '../../store/key-space.js';
import { sha256Of } from '../../versioning/compare-and-swap.js';
import { INFINITE_VERSION_ID } from '../../versioning/version-id.js';
import { type FaultyLevel, withFaults } from '../faulty-level.js';
import { CACHE_BYTES } from '../open-store.js';
import type { LevelPlace } from '../level-place.js';
import type { Call, IdRef, Outcome } from './calls.js';
import { explain, type MadeCall, WrittenIds } from './explain.js';
import { Readers } from './readers.js';
import { Rules } from './rules.js';
import { type BatchFault, finish, type Step } from './scripts.js';
import { canonicalContent, contentOf, recordsOf, replayed, show } from './stored.js';

const IDS = { past: '98999999999999999999RG001  7', future: '10000000000000999999RG001  7' } as const;

export async function runScript(place: LevelPlace, script: readonly Step[]): Promise<void> {
  const run = new ScriptRun(place);
  await run.open();
  try {
    for (const step of script) await run.step(step);
    await run.checkEnd();
  } finally {
    await run.close();
  }
}

type CallsStep = Extract<Step, { step: 'calls' }>;

class ScriptRun {
  readonly #place: LevelPlace;
  readonly #issued: string[] = [];
  /** The errors of batches that have failed in the step that is under way. */
  readonly #injected: Error[] = [];
  #rules = new Rules();
  #level: FaultyLevel | undefined;
  #store: MetadataStore | undefined;
  #clockShift = 0;
  #seenRecords = 0;

  constructor(place: LevelPlace) {
    this.#place = place;
  }

  async open(): Promise<void> {
    const level = await this.#place.level();
    if (this.#level?.level !== level) this.#level = withFaults(level);
    this.#store = await MetadataStore.open({
      level: this.#level.level,
      log: silentLogger(),
      maxRecords: 1_000_000,
      cacheBytes: CACHE_BYTES,
      systemTime: () => Date.now() + this.#clockShift,
    });
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#store = undefined;
  }

  async step(step: Step): Promise<void> {
    switch (step.step) {
      case 'restart':
        await this.close();
        return this.open();
      case 'clock':
        this.#clockShift += step.ms;
        return;
      case 'calls':
        return this.#calls(step);
    }
  }

  /** What is stored is what the rules leave, and what the log tells. */
  async checkEnd(): Promise<void> {
    const stored = await contentOf(this.#opened);
    assert.deepEqual(
      canonicalContent(stored),
      canonicalContent(this.#rules.content),
      'stored and by the rules',
    );
    assert.deepEqual(await replayed(this.#opened), stored, 'the log, replayed, and stored');
    await this.#opened.resumed;
    assert.equal(this.#opened.store.openIterators, 0, 'open iterators');
  }

  async #calls({ drafts, faults }: CallsStep): Promise<void> {
    const before = await contentOf(this.#opened);
    const currentOf = (db: readonly string[], key: string): string | undefined =>
      currentIn(before.get(db.join('#')), key);
    const calls = drafts.map(draft => finish(draft, ref => this.#resolve(ref), currentOf));
    const readers = faults && new Readers(this.#opened, this.#seenRecords + 1);
    this.#injected.length = 0;
    this.#failBatches(faults ?? []);
    const outcomes = await Promise.all(calls.map(call => this.#make(call)));
    await this.#opened.databases.idle();
    this.#failBatches([]);
    const failing = this.#injected.length > 0;
    if (failing) await this.#recover();
    const seen = await readers?.finish();
    const made = calls.map((call, index) => ({ call, outcome: outcomes[index] as Outcome }));
    const records = await recordsOf(this.#opened, this.#seenRecords + 1);
    const ids = new WrittenIds(records, this.#known(made));
    const after = canonicalContent(await contentOf(this.#opened));
    const sights = seen?.sights ?? [];
    const rules = explain({ before: this.#rules, made, failing, ids, after, sights });
    assert.ok(
      rules,
      [
        `no order of these calls agrees with the rules: ${JSON.stringify(made)}`,
        `batches that failed: ${JSON.stringify(faults)}`,
        `before: ${show(this.#rules.content)}`,
        `after: ${show(after)}`,
        `seen by readers beside: ${JSON.stringify(sights)}`,
      ].join('\n'),
    );
    if (seen) {
      assert.deepEqual(seen.records, records.slice(0, seen.records.length), 'the log as it was followed');
      assert.ok(failing || seen.failures === 0, 'readers are refused when nothing has failed');
    }
    this.#rules = rules;
    this.#seenRecords += records.length;
    this.#noteIds(made, ids);
  }

  /** Lets the next batches fail as the faults say, and those after them succeed. */
  #failBatches(faults: readonly (BatchFault | null)[]): void {
    assert.ok(this.#level);
    const left = [...faults];
    this.#level.faultOf = () => {
      const fault = left.shift();
      if (!fault) return undefined;
      const error =
        fault.error === 'broken'
          ? new Error('IO error: disk on fire')
          : new LevelError(LEVEL_ERRORS.unavailable, 'gone');
      this.#injected.push(error);
      return { error, applied: fault.applied };
    };
  }

  /** What was read while a batch had failed holds afterwards. */
  async #recover(): Promise<void> {
    const before = await contentOf(this.#opened);
    await this.#opened.ready();
    assert.deepEqual(await contentOf(this.#opened), before, 'after recovery, and before');
  }

  /** The ids that a client may know already. */
  #known(steps: readonly MadeCall[]): ReadonlySet<string> {
    const answers = steps.flatMap(({ outcome }) => ('answer' in outcome ? [outcome.answer ?? ''] : []));
    return new Set([...this.#issued, ...Object.values(IDS), INFINITE_VERSION_ID, ...answers]);
  }

  /** Every new id sorts before all that were answered earlier, also over restarts and a clock that jumps back. */
  #noteIds(made: readonly MadeCall[], ids: WrittenIds): void {
    const answered = made.flatMap(({ call, outcome }) =>
      call.call === 'put' && !call.versionId && 'answer' in outcome && outcome.answer ? [outcome.answer] : [],
    );
    const fresh = [...answered, ...ids.untold];
    const newestBefore = this.#issued.at(-1) ?? INFINITE_VERSION_ID;
    for (const id of fresh) assert.ok(id < newestBefore, `${id} sorts before ${newestBefore}`);
    assert.equal(new Set(fresh).size, fresh.length);
    this.#issued.push(...fresh.sort().reverse());
  }

  async #make(call: Call): Promise<Outcome> {
    const { databases } = this.#opened;
    const database = new Database(call.db);
    try {
      switch (call.call) {
        case 'put': {
          const { key, value, versioning = false, deleteNullKey = false, versionId, isNull } = call;
          const { ifCurrent: expected } = call;
          const ifCurrent =
            expected === undefined ? undefined : { sha256: expected === null ? null : sha256Of(expected) };
          return {
            answer: await databases.put(database, key, value, {
              versioning,
              deleteNullKey,
              versionId,
              isNull,
              ifCurrent,
            }),
          };
        }
        case 'get':
          return { answer: await databases.get(database, call.key, { versionId: call.versionId }) };
        case 'del':
          return {
            answer: await databases.del(database, call.key, {
              versionId: call.versionId,
              isNull: call.isNull,
            }),
          };
        case 'list': {
          const { limit, ...bounds } = call;
          const range = { ...bounds, limit: limit === -1 ? undefined : limit };
          const entries: [string, string][] = [];
          const iterator = await databases.list(database, range);
          for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
            entries.push([next.value.key, next.value.value]);
          }
          return { entries };
        }
      }
    } catch (err) {
      if (isErrorType(err, 'ObjNotFound', 'InvalidArgument', 'PreconditionFailed'))
        return { error: err.type };
      // Only what was done to the store excuses a failure.
      if (this.#injected.length > 0 && isErrorType(err, 'ServiceUnavailable', 'InternalError'))
        return { failed: err.message };
      throw err;
    }
  }

  #resolve(ref: IdRef): string {
    if (ref.ref === 'infinite') return INFINITE_VERSION_ID;
    if (ref.ref !== 'issued') return IDS[ref.ref];
    return this.#issued[ref.n % Math.max(1, this.#issued.length)] ?? IDS.past;
  }

  get #opened(): MetadataStore {
    assert.ok(this.#store);
    return this.#store;
  }
}

/** The text that is stored as the current value. Behind a place holder that is mostly the newest version. */
function currentIn(entries: ReadonlyMap<string, string> | undefined, key: string): string | undefined {
  const master = entries?.get(key);
  if (master === undefined || !master.includes('"isPHD":true')) return master;
  const versions = [...(entries ?? [])].filter(([stored]) => stored.startsWith(`${key}\0`));
  return versions.find(([stored]) => stored !== `${key}\0`)?.[1] ?? versions[0]?.[1];
}
