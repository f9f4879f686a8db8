/**
 * A process freezes at a step of its take-over, another one takes the store and writes, and the first goes on:
 * it acknowledges nothing, and the owner goes on as if nothing had been.
 */
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { sleep, withDeadline } from '@zenko-modules/common/deadline';
import { mongodbMissing } from '@zenko-modules/common/testing/mongodb-server';
import { closeLevel, openLevel, writeBatch } from '../level-calls.js';
import { LEVEL_ERRORS } from '../plugin.js';
import { contents, newPlace, newStore, withStore, type Place } from './testing/databases.js';
import { checkState, stateAfter, writeBatches } from './testing/numbered-batches.js';
import { on, startWireProxy, type Verdict, type WireCommand } from './testing/wire-proxy.js';

const skip = mongodbMissing;
const LEASE_MS = 500;
const OWNER_LEASE_MS = 4000;
/** Longer than a freeze lasts: what is not answered in half of it is sent again. */
const TIMEOUT_MS = 30_000;
const BATCHES = 6;
const DEADLINE_MS = 30_000;

/** Where a store comes from whose take-over is tried. */
const STORES: Readonly<Record<string, Prepare>> = {
  'of an owner that died with batches that are not applied': async (t, place) => {
    const proxy = await startWireProxy(t, place.url);
    const dies = newStore({ ...place, url: proxy.url }, { leaseMs: LEASE_MS, timeoutMs: DEADLINE_MS });
    await openLevel(dies);
    proxy.judge = command => (on('update', 'metadata')(command) ? 'cut-before' : 'pass');
    assert.equal(await writeBatches(dies, { from: 0, last: BATCHES, atOnce: 1 }, () => undefined), undefined);
    // It is told that it has lost the store, so that it ends at once.
    const lost = { ok: 1, n: 0, nModified: 0 };
    proxy.judge = command => (on('update', '.state')(command) ? { answer: lost } : 'cut-before');
    // One that was under way is answered as it was.
    await assert.rejects(
      dies.ping().then(() => dies.ping()),
      { code: LEVEL_ERRORS.fenced },
    );
    await closeLevel(dies);
    return BATCHES;
  },
  'of an owner that has closed': async (_t, place) => {
    await withStore(newStore(place), store =>
      writeBatches(store, { from: 0, last: BATCHES, atOnce: 1 }, () => undefined),
    );
    return BATCHES;
  },
  'that is new': () => Promise.resolve(0),
};

const isFirstWrite = on('update', '.journal');
const MOMENTS = ['before the server has it', 'before its answer arrives'] as const;

type Prepare = (t: TestContext, place: Place) => Promise<number>;
type Recognise = (command: WireCommand) => boolean;

/** Recognises the steps of a take-over, each once: signs of life come when they come, and looks at the state too. */
function stepsOnly(): Recognise {
  let looks = 0;
  return ({ name, target, body }) => {
    if (!target.endsWith('.state')) return true;
    if (name === 'find') return ++looks === 1;
    const [update] = (body.updates ?? []) as { readonly u: object }[];
    return Object.keys(update?.u ?? {}).join() !== '$inc';
  };
}

/** The commands of a take-over that nothing disturbs. */
async function stepsOf(t: TestContext, prepare: Prepare): Promise<string[]> {
  const place = await newPlace(t);
  await prepare(t, place);
  const proxy = await startWireProxy(t, place.url);
  const store = newStore({ ...place, url: proxy.url }, { leaseMs: LEASE_MS, timeoutMs: TIMEOUT_MS });
  const isStep = stepsOnly();
  await openLevel(store);
  const steps = proxy.commands.filter(isStep).map(({ name, target }) => `${name} ${target}`);
  await closeLevel(store);
  return steps;
}

interface Freeze {
  /** Steps before that pass; the first write of a batch comes after all of them. */
  readonly index: number;
  readonly isWrite: boolean;
  readonly moment: (typeof MOMENTS)[number];
}

async function freezeAt(t: TestContext, prepare: Prepare, { index, isWrite, moment }: Freeze): Promise<void> {
  const place = await newPlace(t);
  const before = await prepare(t, place);
  const proxy = await startWireProxy(t, place.url);
  let thaw: (value?: unknown) => void = () => undefined;
  const thawed = new Promise(resolve => (thaw = resolve));
  const frozen = new Promise<void>(resolve => {
    const isStep = stepsOnly();
    let passed = 0;
    let isFrozen = false;
    proxy.judge = (command): Verdict => {
      // Nothing of a frozen process gets out.
      if (isFrozen) return { hold: thawed };
      if (!isStep(command)) return 'pass';
      passed += 1;
      if (passed <= index || (isWrite && !isFirstWrite(command))) return 'pass';
      isFrozen = true;
      resolve();
      return moment === 'before its answer arrives' ? { holdAnswer: thawed } : { hold: thawed };
    };
  });
  const usurper = newStore({ ...place, url: proxy.url }, { leaseMs: LEASE_MS, timeoutMs: TIMEOUT_MS });
  const attempt = (async () => {
    await openLevel(usurper);
    await writeBatch(usurper, [{ type: 'put', key: 'usurper', value: 'was here' }]);
  })().then(
    () => 'acknowledged',
    (err: unknown) => (err as { code?: unknown }).code,
  );
  const early = attempt.then(outcome => assert.fail(`it ended before it froze: ${String(outcome)}`));
  await withDeadline(Promise.race([frozen, early]), DEADLINE_MS, 'the freeze');
  early.catch(() => undefined);

  const owner = newStore(place, { leaseMs: OWNER_LEASE_MS, inUse: 'wait', timeoutMs: TIMEOUT_MS });
  await withDeadline(openLevel(owner), DEADLINE_MS, 'the take-over by another');
  // A batch that the server had when its sender froze is there: it may be acknowledged later.
  const { usurper: arrived, ...rest } = await contents(owner);
  assert.equal(arrived, isWrite && moment === 'before its answer arrives' ? 'was here' : undefined);
  const count = checkState(rest, before);
  assert.equal(await writeBatches(owner, { from: count, last: count + 12 }, () => undefined), undefined);
  await sleep(50);

  thaw();
  const outcome = await withDeadline(attempt, DEADLINE_MS, 'the end of the first');
  assert.equal(outcome, arrived === undefined ? LEVEL_ERRORS.fenced : 'acknowledged');
  if (arrived !== undefined) {
    await assert.rejects(writeBatch(usurper, [{ type: 'del', key: 'usurper' }]), {
      code: LEVEL_ERRORS.fenced,
    });
  }
  assert.equal(await writeBatches(owner, { from: count + 12, last: count + 24 }, () => undefined), undefined);
  const expected = { ...stateAfter(count + 24), ...(arrived === undefined ? {} : { usurper: arrived }) };
  assert.deepEqual(await contents(owner), expected);
  await closeLevel(usurper);
  await closeLevel(owner);
  assert.deepEqual(await withStore(newStore(place), contents), expected);
}

for (const [what, prepare] of Object.entries(STORES)) {
  test(`a take-over of a store ${what} may freeze at any of its steps`, { skip, concurrency: 6 }, async t => {
    const steps = await stepsOf(t, prepare);
    t.diagnostic(steps.join(', '));
    assert.ok(steps.length >= 5, `${steps.length} steps`);
    const freezes = [...steps, 'the first write'].flatMap((step, index) =>
      MOMENTS.map(moment => ({ step, index, moment, isWrite: index === steps.length })),
    );
    await Promise.all(
      freezes.map(freeze =>
        t.test(`step ${freeze.index + 1}, ${freeze.step}, ${freeze.moment}`, t =>
          freezeAt(t, prepare, freeze),
        ),
      ),
    );
  });
}
