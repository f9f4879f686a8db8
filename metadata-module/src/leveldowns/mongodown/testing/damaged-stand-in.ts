/**
 * The stand-in for MongoDB writes what it has at any moment: one that is killed in the midst of a write may come back
 * with an index that names a document which it has not, and refuses to write that document from then on. A run in
 * which that happens says nothing about us, and begins again on another server.
 */
import type { TestContext } from 'node:test';
import { messageOf } from '@zenko-modules/common/errors';
import type { Logger } from '@zenko-modules/common/logger';
import {
  mongodbIsStandIn,
  type OwnMongodb,
  startOwnMongodb,
} from '@zenko-modules/common/testing/mongodb-server';
import { pino } from 'pino';
import { newPlace, type Place } from './databases.js';

const DAMAGE = /Expected one element but got zero/;
const MOST = 6;

export interface Run {
  readonly server: OwnMongodb;
  readonly place: Place;
  /** For the stores of the run: damage is known by what they are told. */
  readonly log: Logger;
  readonly isDamaged: () => boolean;
}

/** Does `run` on a server that it may kill; again, when the stand-in has not come back whole. */
export async function onServerThatComesBack(t: TestContext, run: (on: Run) => Promise<void>): Promise<void> {
  for (let number = 1; ; number += 1) {
    const server = await startOwnMongodb(t);
    const seen = { damage: false };
    const write = (line: string): void => {
      if (mongodbIsStandIn && DAMAGE.test(line)) seen.damage = true;
    };
    const log = pino({ level: 'warn' }, { write });
    try {
      await run({ server, place: await newPlace(t, server.url), log, isDamaged: () => seen.damage });
      return;
    } catch (err) {
      if (!seen.damage || number === MOST) throw err;
      t.diagnostic(`the stand-in was damaged by a kill: ${messageOf(err)}`);
    }
  }
}
