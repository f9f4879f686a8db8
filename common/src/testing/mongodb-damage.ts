/**
 * The stand-in for MongoDB writes what it has at any moment: one that is killed in the midst of a write may come back
 * with an index that names a document which it has not, or without one that names a document which it has, and
 * refuses to write that document from then on; or not come back at all. A run in which that happens says nothing about
 * us, and begins again on another server.
 */
import type { TestContext } from 'node:test';
import { inspect } from 'node:util';
import { pino } from 'pino';
import { messageOf } from '../errors.js';
import type { Logger } from '../logger.js';
import { mongodbIsStandIn } from './mongodb-server.js';

const DAMAGE =
  /Expected one element but got zero|already existed in H2Collection|mongodb-standin\S* ended before it listened/;
const MOST = 6;
/** Characters of what told it. */
const SHOWN = 1000;

/** Where it shows that the stand-in is damaged. */
export interface DamageWatch {
  /** For the stores of the run: damage is known by what they are told. */
  readonly log: Logger;
  readonly isDamaged: () => boolean;
}

/**
 * Does `run`, which starts its server itself; again, when the stand-in has not come back whole. A run is left to itself
 * as soon as that is known, and has to end what it does to its server then.
 */
export async function untilServerComesBack(
  t: Pick<TestContext, 'diagnostic'>,
  run: (watch: DamageWatch) => Promise<void>,
): Promise<void> {
  for (let number = 1; ; number += 1) {
    const damage = new AbortController();
    const look = (text: string): void => {
      if (mongodbIsStandIn && DAMAGE.test(text)) damage.abort(new Error(text.slice(0, SHOWN)));
    };
    const log = pino({ level: 'warn' }, { write: look });
    const found = new Promise<never>((_, reject) => {
      damage.signal.addEventListener('abort', () => reject(damage.signal.reason as Error));
    });
    try {
      await Promise.race([found, run({ log, isDamaged: () => damage.signal.aborted })]);
      return;
    } catch (err) {
      look(inspect(err));
      if (!damage.signal.aborted || number === MOST) throw err;
      t.diagnostic(`the stand-in was damaged by a kill: ${messageOf(err)}`);
    }
  }
}
