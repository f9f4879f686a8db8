import assert from 'node:assert/strict';
import test from 'node:test';
import { GetBatcher, type KeysRead } from './get-batcher.js';

/** A server whose replies have room for so many values; `k1` has the value `k1`, and so on, and `x…` is not there. */
function batcher(room: number): { readonly gets: GetBatcher; readonly replies: string[] } {
  const replies: string[] = [];
  const read = (keys: readonly string[]): Promise<KeysRead> => {
    const sorted = [...keys].sort();
    const fit = sorted.filter(key => !key.startsWith('x')).slice(0, room);
    const isCut = fit.length === room;
    replies.push(fit.join());
    const values = new Map(fit.map(key => [key, Buffer.from(key)]));
    return Promise.resolve({
      values,
      unread: new Set(sorted.filter(key => isCut && key > (fit.at(-1) ?? ''))),
    });
  };
  return { gets: new GetBatcher(read, 60_000), replies };
}

test('what a reply has no room for is asked for again, and each call gets all of its own', async () => {
  const { gets, replies } = batcher(2);
  const calls = [['k1'], ['k3', 'k0', 'x', 'k2'], ['k2'], ['x']];
  const all = await Promise.all(calls.map(keys => gets.get(keys)));
  for (const [index, keys] of calls.entries())
    for (const key of keys)
      assert.equal(all[index]?.get(key)?.toString(), key === 'x' ? undefined : key, `${index}: ${key}`);
  assert.deepEqual(replies, ['k0,k1', 'k2,k3', '']);
});
