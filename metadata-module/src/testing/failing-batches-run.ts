/**
 * Writers, readers of every kind, and batches that fail, all at the same time: a reader sees what is complete
 * and right, or an error. Any kind of LevelDOWN can run it.
 */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { isErrorType } from '@zenko-modules/common/errors';
import { type Random, seededRandom } from '@zenko-modules/common/testing/random';
import { LEVEL_ERRORS, LevelError } from '../leveldowns/plugin.js';
import type { MetadataStore } from '../metadata-store.js';
import { type FaultyLevel, withFaults } from './faulty-level.js';
import type { LevelKind } from './level-place.js';
import { contentOf, replayed } from './model/stored.js';
import { NumberedKey, numberIn, type Watch } from './numbered-key.js';
import { BUCKET, openStore, PLAIN } from './open-store.js';

const STABLE_KEYS = 300;
const WRITERS = 6;
const READERS = ['list', 'raw keys', 'get', 'log'];
/** Batches that fail, in a test of a LevelDOWN whose effort is 1. */
const FAILURES = 2000;

/** Registers the test for one kind of LevelDOWN. */
export function testFailingBatches(kind: LevelKind): void {
  const failures = Math.max(12, Math.ceil(FAILURES * kind.effort));
  test(`${kind.name}: while batches fail, readers of every kind get what is complete and right, or an error`, async t => {
    const random = seededRandom(t);
    const place = await kind.place(t);
    const faulty = withFaults(await place.level());
    const store = await openStore(t, { level: faulty.level, repairDelayMs: 20 });
    const stable = new Map(
      Array.from({ length: STABLE_KEYS }, (_, n) => [`a${String(n).padStart(4, '0')}`, `{"n":${n}}`]),
    );
    await Promise.all([...stable].map(([key, value]) => store.databases.put(BUCKET, key, value, PLAIN)));
    const keys = Array.from({ length: WRITERS }, (_, n) => new NumberedKey(`w${n}`));
    const run = new Run(store, stable, keys);
    failAtRandom(faulty, random);
    const work = [
      ...keys.map(key => run.until(() => key.change(store.databases, random))),
      ...Array.from({ length: 3 }, () => run.until(() => run.list())),
      run.until(() => run.listRawKeys()),
      run.until(() => run.get(random)),
      run.until(() => run.follow()),
    ];
    while (!run.stop && !(run.failures >= failures && run.hasRead())) await sleep(20);
    run.stop = true;
    await Promise.all(work);
    faulty.faultOf = () => undefined;
    await run.checkEnd(t);
  });
}

function failAtRandom(faulty: FaultyLevel, random: Random): void {
  let batches = random.integer(0, 39);
  faulty.faultOf = () => {
    batches += 1;
    if (batches % 40 !== 0) return undefined;
    const error =
      random.integer(0, 1) === 0
        ? new Error('IO error: disk on fire')
        : new LevelError(LEVEL_ERRORS.unavailable, 'gone');
    return { error, applied: random.integer(0, 1) === 0 };
  };
}

class Run {
  stop = false;
  /** Calls of writers that failed. */
  failures = 0;
  readonly #complete = new Map<string, number>();
  readonly #store: MetadataStore;
  readonly #stable: ReadonlyMap<string, string>;
  readonly #keys: readonly NumberedKey[];
  /** The log as its reader has followed it. */
  readonly #followed = new Map<string, string>();
  #next = 1;

  constructor(store: MetadataStore, stable: ReadonlyMap<string, string>, keys: readonly NumberedKey[]) {
    this.#store = store;
    this.#stable = stable;
    this.#keys = keys;
  }

  /** Again and again; errors that tell a client to come back are as good as an answer. */
  async until(work: () => Promise<string>): Promise<void> {
    while (!this.stop) {
      try {
        const name = await work();
        this.#complete.set(name, (this.#complete.get(name) ?? 0) + 1);
      } catch (err) {
        if (!isErrorType(err, 'ServiceUnavailable', 'InternalError')) this.stop = true;
        assert.ok(isErrorType(err, 'ServiceUnavailable', 'InternalError'), String(err));
        this.failures += 1;
        await sleep(1);
      }
      // What never waits for the store would keep everybody else from it.
      await new Promise(resolve => setImmediate(resolve));
    }
  }

  /** Every kind of reader has been given what it asked for, a few times. */
  hasRead(): boolean {
    return READERS.every(name => (this.#complete.get(name) ?? 0) >= 5);
  }

  async list(): Promise<string> {
    const watches = this.#keys.map(key => key.watch());
    const seen = new Map<string, string>();
    const iterator = await this.#store.databases.list(BUCKET, {});
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      seen.set(next.value.key, next.value.value);
    }
    this.#checkStable(seen);
    for (const watch of watches) checkMaster(watch, seen.get(watch.key));
    return 'list';
  }

  async listRawKeys(): Promise<string> {
    const before = this.#store.recordLog.last;
    const iterator = await this.#store.databases.listRawKeys({});
    let [stable, records] = [0, 0];
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
      if (next.value.startsWith(BUCKET.keyOf('a'))) stable += 1;
      if (next.value.startsWith('!..recordLogs#s3-recordlog!')) records += 1;
    }
    assert.equal(stable, STABLE_KEYS);
    assert.ok(records >= before, `${records} of ${before} records`);
    return 'raw keys';
  }

  async get(random: Random): Promise<string> {
    const key = this.#keys[random.integer(0, this.#keys.length - 1)] as NumberedKey;
    const watch = key.watch();
    try {
      watch.check(numberIn(await this.#store.databases.get(BUCKET, watch.key, {})));
    } catch (err) {
      if (!isErrorType(err, 'ObjNotFound')) throw err;
      watch.check(0);
    }
    return 'get';
  }

  /** Reads on from where it was; what it has read is never told again in another way. */
  async follow(): Promise<string> {
    const { info, log } = await this.#store.recordLog.read({ startSeq: this.#next, limit: 200 });
    if (info.start === null || info.end === null) return 'log';
    assert.equal(info.start, this.#next);
    for (let next = await log.next(); !next.done; next = await log.next()) {
      const [entry] = next.value.entries;
      assert.ok(entry);
      const { type, key, value } = entry;
      if (type === 'put') this.#followed.set(key, value ?? '');
      else this.#followed.delete(key);
      this.#next += 1;
    }
    assert.equal(this.#next, info.end + 1, 'a read that ends covers what it said');
    return 'log';
  }

  async checkEnd(t: TestContext): Promise<void> {
    const store = this.#store;
    await store.databases.put(BUCKET, 'last', '{}', PLAIN);
    await store.databases.idle();
    for (const key of this.#keys) {
      const watch = key.watch();
      watch.check(await store.databases.get(BUCKET, watch.key, {}).then(numberIn, () => 0));
    }
    await store.databases.idle();
    while (this.#next <= store.recordLog.last) await this.follow();
    const content = await contentOf(store);
    this.#checkStable(content.get('bucket') ?? new Map<string, string>());
    assert.deepEqual(await replayed(store), content);
    assert.deepEqual(new Map([...this.#followed].sort()), new Map([...(content.get('bucket') ?? [])].sort()));
    assert.equal(store.store.openIterators, 0);
    const complete = [...this.#complete].map(([name, count]) => `${count} ${name}`).join(', ');
    t.diagnostic(`${this.failures} calls failed beside ${complete}`);
    for (const name of ['list', 'raw keys', 'get', 'log', 'change'])
      assert.ok(this.#complete.has(name), name);
  }

  #checkStable(seen: ReadonlyMap<string, string>): void {
    for (const [key, value] of this.#stable) assert.equal(seen.get(key), value, key);
  }
}

/** A listing may show a place holder. */
function checkMaster(watch: Watch, value: string | undefined): void {
  if (value?.startsWith('{"isPHD":true') !== true) watch.check(value === undefined ? 0 : numberIn(value));
}
