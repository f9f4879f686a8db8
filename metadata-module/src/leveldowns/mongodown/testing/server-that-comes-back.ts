/** A server that tests of mongodown may kill, although the stand-in for MongoDB does not always come back whole. */
import type { TestContext } from 'node:test';
import { type DamageWatch, untilServerComesBack } from '@zenko-modules/common/testing/mongodb-damage';
import { type OwnMongodb, startOwnMongodb } from '@zenko-modules/common/testing/mongodb-server';
import { newPlace, type Place } from './databases.js';

export interface Run extends DamageWatch {
  readonly server: OwnMongodb;
  readonly place: Place;
}

/** Does `run` on a server that it may kill; again, when the stand-in has not come back whole. */
export async function onServerThatComesBack(t: TestContext, run: (on: Run) => Promise<void>): Promise<void> {
  await untilServerComesBack(t, async watch => {
    const server = await startOwnMongodb(t);
    await run({ server, place: await newPlace(t, server.url), ...watch });
  });
}
