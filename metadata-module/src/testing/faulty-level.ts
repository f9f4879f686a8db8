/** A LevelDOWN whose batches fail as a test wants them to. */
import type { AbstractBatch, AbstractOptions, ErrorCallback } from 'abstract-leveldown';
import type { LevelDown } from '../leveldowns/plugin.js';
import { MEMDOWN } from './level-place.js';

export type Batch = readonly AbstractBatch<string, string>[];

export interface Fault {
  readonly error: Error;
  /** The batch is applied all the same. */
  readonly applied: boolean;
}

export interface FaultyLevel {
  readonly level: LevelDown;
  /** Batches as they were given, with their options. */
  readonly batches: { readonly operations: Batch; readonly options: unknown }[];
  /** Asked before each batch; a fault that it gives makes the batch fail. */
  faultOf: (operations: Batch) => Fault | undefined;
  /** While set, `open` fails with it. */
  openError: Error | undefined;
  /** How often it was opened. */
  opened: number;
  /** While set, a batch is written when it resolves. */
  held: Promise<void> | undefined;
}

/** In memory. */
export async function faultyLevel(): Promise<FaultyLevel> {
  const place = await MEMDOWN.place({ after: () => undefined });
  return withFaults(await place.level());
}

/** Gives `real` the faults. */
export function withFaults(real: LevelDown): FaultyLevel {
  const writeReal = real.batch.bind(real);
  const openReal = real.open.bind(real);
  const faulty: FaultyLevel = {
    level: real,
    batches: [],
    faultOf: () => undefined,
    openError: undefined,
    opened: 0,
    held: undefined,
  };
  const batch = (operations: Batch, options: AbstractOptions, callback: ErrorCallback): void => {
    faulty.batches.push({ operations, options });
    const fault = faulty.faultOf(operations);
    const fail = (): void => callback(fault?.error);
    void (faulty.held ?? Promise.resolve()).then(() => {
      if (fault && !fault.applied) fail();
      else writeReal(operations, options, fault ? fail : callback);
    });
  };
  const open = (callback: ErrorCallback): void => {
    faulty.opened += 1;
    if (faulty.openError) callback(faulty.openError);
    else openReal({}, callback);
  };
  Object.assign(real, { batch, open });
  return faulty;
}
