/** What is said to a process that is refused, without a server. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { silentLogger } from '@zenko-modules/common/logger';
import type { MongoClient } from 'mongodb';
import { LEVEL_ERRORS } from '../plugin.js';
import { claimStore, type ClaimOptions } from './claim.js';
import { FORMAT, type Layout } from './documents.js';

/** A store whose owner gives a sign of life with each look. */
function ownedLayout(): Layout {
  let beat = 0;
  const findOne = (): Promise<object> => {
    beat += 1;
    const owner = { id: 'other', host: 'there', pid: 7 };
    return Promise.resolve({ format: FORMAT, owner, beat, leaseMs: 60, released: false, created: true });
  };
  return { place: 'a.b', state: { findOne } } as unknown as Layout;
}

test('a module is told how to wait for the owner, and a copy, which cannot, is not', async () => {
  const client = { connect: () => Promise.resolve() } as unknown as MongoClient;
  const options: ClaimOptions = {
    leaseMs: 60,
    timeoutMs: 60_000,
    inUse: 'refuse',
    createIfMissing: false,
    errorIfExists: false,
    formerIds: new Set(),
    signal: new AbortController().signal,
    log: silentLogger(),
  };
  const code = LEVEL_ERRORS.fenced;
  const inUse = 'the store a.b is in use by process 7 on there: stop it';
  for (const canStandBy of [undefined, true]) {
    await assert.rejects(claimStore(client, ownedLayout(), { ...options, canStandBy }), {
      code,
      message: `${inUse}, or set MONGODB_IN_USE=wait to stand by for it`,
    });
  }
  await assert.rejects(claimStore(client, ownedLayout(), { ...options, canStandBy: false }), {
    code,
    message: `${inUse} first`,
  });
});
