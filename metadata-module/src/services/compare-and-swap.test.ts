import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { WireClient } from '../testing/socket-io-clients.js';
import { startModule } from '../testing/start-module.js';
import { sha256Of } from '../versioning/compare-and-swap.js';

const subLevel = ['bucket'];

interface Bucket {
  readonly call: (name: string, ...rpcArgs: readonly unknown[]) => Promise<unknown>;
  readonly fails: (...rpcArgs: readonly unknown[]) => Promise<string>;
}

async function openBucket(t: TestContext): Promise<Bucket> {
  const client = await WireClient.connect(t, (await startModule(t)).metadataUrl);
  return {
    call: async (name, ...rpcArgs) => {
      const { err, result } = await client.call(name, { rpcArgs, subLevel });
      return err ? err.type : result;
    },
    fails: async (...rpcArgs) => {
      const { err } = await client.call('compareAndSwap', { rpcArgs, subLevel });
      return `${String(err?.type)}: ${String(err?.description)}`;
    },
  };
}

test('entries are replaced when all of them are as expected', async t => {
  const { call } = await openBucket(t);
  await call('put', 'k', '{"a":1}', {});
  const expected = [{ sha256: sha256Of('{"a":1}') }, { versionId: 'null', sha256: null }];
  const replacements = [
    { value: '{"a":2}' },
    { versionId: 'null', value: '{"null":true}' },
    { versionId: 'v1', value: '{"v":1}' },
  ];
  assert.deepEqual(await call('compareAndSwap', 'k', expected, replacements), { swapped: true });
  assert.equal(await call('get', 'k', {}), '{"a":2}');
  assert.equal(await call('get', 'k', { versionId: 'null' }), '{"null":true}');
  assert.equal(await call('get', 'k', { versionId: 'v1' }), '{"v":1}');
  const gone = [{ value: null }, { versionId: 'v1', value: null }];
  assert.deepEqual(await call('compareAndSwap', 'k', [{ sha256: sha256Of('{"a":2}') }], gone), {
    swapped: true,
  });
  assert.equal(await call('get', 'k', {}), 'ObjNotFound');
  assert.equal(await call('get', 'k', { versionId: 'v1' }), 'ObjNotFound');
});

test('nothing is replaced when one of them is another, is missing, or is there', async t => {
  const { call } = await openBucket(t);
  await call('put', 'k', '{"a":1}', {});
  const asSeen = { sha256: sha256Of('{"a":1}') };
  for (const other of [
    { sha256: sha256Of('{"a":2}') },
    { sha256: null },
    { versionId: 'v1', sha256: sha256Of('{}') },
  ]) {
    const answer = await call('compareAndSwap', 'k', [asSeen, other], [{ value: '{"wrong":1}' }]);
    assert.deepEqual(answer, { swapped: false });
  }
  assert.equal(await call('get', 'k', {}), '{"a":1}');
});

test('of many that have seen the same one replaces it, and without replacements none does', async t => {
  const { call } = await openBucket(t);
  await call('put', 'k', '{}', {});
  const expected = [{ sha256: sha256Of('{}') }];
  assert.deepEqual(await call('compareAndSwap', 'k', expected, []), { swapped: true });
  const answers = (await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      call('compareAndSwap', 'k', expected, [{ value: `{"won":${index}}` }]),
    ),
  )) as { swapped: boolean }[];
  const winners = answers.flatMap(({ swapped }, index) => (swapped ? [index] : []));
  assert.equal(winners.length, 1);
  assert.equal(await call('get', 'k', {}), `{"won":${String(winners[0])}}`);
});

test('arguments that are none are refused by name, and change nothing', async t => {
  const { call, fails } = await openBucket(t);
  await call('put', 'k', '{}', {});
  const sound = [{ sha256: sha256Of('{}') }];
  assert.match(await fails(), /^InvalidArgument: key/);
  assert.match(await fails('k'), /^InvalidArgument: expected/);
  assert.match(await fails('k', [], []), /^InvalidArgument: expected/);
  assert.match(await fails('k', [{ sha256: 'ab' }], []), /^InvalidArgument: expected\.0\.sha256/);
  assert.match(await fails('k', [{ versionId: 'a\0b', sha256: null }], []), /^InvalidArgument: expected\.0/);
  assert.match(await fails('k', sound), /^InvalidArgument: replacements/);
  assert.match(await fails('k', sound, [{ value: 7 }]), /^InvalidArgument: replacements\.0\.value/);
  assert.match(await fails('k', sound, Array(17).fill({ value: null })), /^InvalidArgument: replacements/);
  assert.equal(await call('get', 'k', {}), '{}');
});
