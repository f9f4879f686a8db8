import assert from 'node:assert/strict';
import test from 'node:test';
import { WireClient } from '../testing/socket-io-clients.js';
import { startModule } from '../testing/start-module.js';

test('one call gets values of several databases, versions and place holders, and tells what is not there', async t => {
  const client = await WireClient.connect(t, (await startModule(t)).metadataUrl);
  const change = async (name: string, database: string, ...rpcArgs: unknown[]): Promise<string> => {
    const { err, result } = await client.call(name, { rpcArgs, subLevel: [database] });
    assert.equal(err, null);
    return typeof result === 'string' ? (JSON.parse(result) as { versionId: string }).versionId : '';
  };
  await change('put', 'a', 'k', 'of a', {});
  await change('put', 'b', 'k', 'of b', {});
  const first = await change('put', 'b', 'versions', '{"n":1}', { versioning: true });
  const second = await change('put', 'b', 'versions', '{"n":2}', { versioning: true });
  await change('del', 'b', 'versions', { versionId: second });
  const getMany = (gets: unknown) => client.call('getMany', { rpcArgs: [gets], subLevel: [] });
  const { err, result } = await getMany([
    [['a'], 'k', {}],
    [['b'], 'k'],
    [['a'], 'none', {}],
    [['b'], 'versions', { versionId: first }],
    [['b'], 'versions', { versionId: second }],
    [['b'], 'versions', {}],
  ]);
  assert.equal(err, null);
  const value = `{"n":1,"versionId":"${first}"}`;
  assert.deepEqual(result, ['of a', 'of b', null, value, null, value]);
  assert.deepEqual((await getMany([])).result, []);
  for (const wrong of [
    undefined,
    {},
    ['k'],
    [[['a'], '', {}]],
    [[['a'], 'k', { versionId: 1 }]],
    [[['a'], 'k', {}, {}]],
    [
      [['a'], 'k', {}],
      [['a!'], 'k', {}],
    ],
    Array.from({ length: 17 }, () => [['a'], 'k', {}]),
  ]) {
    assert.equal((await getMany(wrong)).err?.type, 'InvalidArgument', JSON.stringify(wrong));
  }
});
