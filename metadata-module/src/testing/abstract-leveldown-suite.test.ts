import assert from 'node:assert/strict';
import test from 'node:test';
import MemDown from 'memdown';
import { runAbstractLevelDownSuite, runTapeTest } from './abstract-leveldown-suite.js';

test('a store that keeps the contract passes every test of the suite', async t => {
  await runAbstractLevelDownSuite(t, {
    factory: () => new MemDown(),
    createIfMissing: false,
    errorIfExists: false,
  });
});

test('a tape test whose assertions hold resolves', async () => {
  await runTapeTest('holds', t => {
    t.ok(true);
    t.end();
  });
});

test('a tape test with a failed assertion rejects with that assertion', async () => {
  const run = runTapeTest('fails', t => {
    t.ok(true);
    t.equal(1, 2, 'one is two');
    t.end();
  });
  await assert.rejects(run, {
    name: 'AssertionError',
    message: /1 of 2 assertions failed, first: one is two/,
  });
});

test('a tape test whose plan is not met rejects', async () => {
  const run = runTapeTest('fails', t => {
    t.plan(1);
    t.ok(true);
    t.ok(true);
  });
  await assert.rejects(run, /assertions failed/);
});
