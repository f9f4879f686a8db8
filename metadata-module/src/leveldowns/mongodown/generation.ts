/**
 * The collection of the data, and the fence around it.
 *
 * The data of generation 7 is in `<name>.data.7`, and only the process that claimed 7 writes there, one bulk
 * at a time. Who takes over claims 8 and renames the collection, which is one atomic step: whatever an
 * earlier process still has under way, in its memory, on the wire or in the server, finds nothing under
 * its name, or makes an empty collection there, which nobody reads. No write of the new owner can be undone by
 * it, deletes as little as puts. The owner does the same with itself when the answer to a write was lost,
 * since that write may still come.
 *
 * A rename may be late as well. So the data is not known by its name but by its markers, which are made once,
 * in the first generation, and move with it: of the collections between the recorded generation and the
 * claimed one, it is the one that has them.
 */
import { sleep } from '@zenko-modules/common/deadline';
import type { Logger } from '@zenko-modules/common/logger';
import { corrupt, isTransient } from './errors.js';
import { LOWER_MARKER, UPPER_MARKER, type DataDocument, type Layout } from './layout.js';
import type { Lease } from './lease.js';

/** Late renames that can come between looking for the data and moving it are few; more passes are damage. */
const PASSES = 10;
const PAUSE_MS = 20;
/** Names that are tried before it is given up. */
const CLAIMS = 5;

export interface Marker {
  readonly store: string;
  readonly applied: number;
}

/** The name that the data should get is taken by what a late write made. */
class GenerationTaken extends Error {}

/**
 * Brings the data to the generation that the owner claimed, or to a later one that it claims meanwhile.
 * Done again after a failure, it goes on where it stopped.
 * @param from no earlier generation can hold the data; 0 when there is none yet
 * @throws LevelError `fenced` when another process owns the store, `corrupt` when the data is missing
 */
export async function settleData(layout: Layout, lease: Lease, from: number, store: string): Promise<Marker> {
  for (let claims = 1; ; claims += 1) {
    const generation = lease.generation;
    try {
      const marker =
        from === 0 ? await createData(layout, generation, store) : await moveData(layout, from, generation);
      if (marker.store !== store) {
        throw corrupt(
          `${layout.data(generation).namespace} is of another store than ${layout.state.namespace}`,
        );
      }
      await lease.recordData(generation);
      return marker;
    } catch (err) {
      if (!(err instanceof GenerationTaken) || claims === CLAIMS) throw err;
    }
    await lease.claimGeneration();
  }
}

/** Makes an empty data collection. Done again, it changes nothing. */
async function createData(layout: Layout, generation: number, store: string): Promise<Marker> {
  const data = layout.data(generation);
  for (const _id of [UPPER_MARKER, LOWER_MARKER]) {
    await data.updateOne({ _id }, { $setOnInsert: { applied: 0, store } }, { upsert: true });
  }
  return { store, applied: 0 };
}

/**
 * Moves the data, which is in one of the generations `from` to `to`, to `to`. Done again, it changes nothing.
 * @throws GenerationTaken when something else is under that name.
 * @throws LevelError `corrupt` when the data is in none of them.
 */
async function moveData(layout: Layout, from: number, to: number): Promise<Marker> {
  let missing = 0;
  let refusal: unknown;
  for (let pass = 0; pass < PASSES; pass += 1) {
    const found = await findData(layout, from, to);
    if (found?.generation === to) return found.marker;
    if (found === undefined) {
      missing += 1;
      await sleep(PAUSE_MS);
      continue;
    }
    try {
      await layout.renameData(found.generation, to);
    } catch (err) {
      // Refused because another rename came first, or because the new name is taken: look again.
      if (isTransient(err)) throw err;
      refusal = err;
    }
  }
  if (missing < PASSES)
    throw new GenerationTaken(`generation ${to} of ${layout.place} is taken`, { cause: refusal });
  throw corrupt(
    `the data of ${layout.place} is missing: no collection from ${layout.data(from).namespace} to ` +
      `${layout.data(to).namespace} has the markers of a store`,
  );
}

/** Drops the collections of generations before `generation`, of which none can hold the data any more. */
export async function dropLeftovers(layout: Layout, generation: number, log: Logger): Promise<void> {
  for (const old of await layout.dataGenerations()) {
    if (old >= generation) continue;
    await layout.data(old).drop();
    log.info(
      { collection: layout.data(old).namespace },
      'dropped what late writes of a former owner had made',
    );
  }
}

/** The newest collection with the markers. */
async function findData(
  layout: Layout,
  from: number,
  to: number,
): Promise<{ generation: number; marker: Marker } | undefined> {
  for (let generation = to; generation >= from; generation -= 1) {
    const document = await layout
      .data(generation)
      .findOne({ _id: LOWER_MARKER }, { readPreference: 'primary' });
    if (document !== null) return { generation, marker: markerOf(document, layout) };
  }
  return undefined;
}

function markerOf({ store, applied }: DataDocument, layout: Layout): Marker {
  if (store === undefined || applied === undefined) throw corrupt(`a marker in ${layout.place} is damaged`);
  return { store, applied };
}
