import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { isErrorType } from '@zenko-modules/common/errors';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { RpcClient } from '@zenko-modules/rpc/client';
import { RECORD_LOG_NAMESPACE } from '@zenko-modules/rpc/wire';
import { startModule } from '../testing/start-module.js';

type Answer = Readonly<Record<string, unknown>>;

async function setUp(t: TestContext, DATA_DIR: string) {
  const module = await startModule(t, { DATA_DIR });
  const client = new RpcClient({
    url: module.recordLogUrl.replace(RECORD_LOG_NAMESPACE, ''),
    namespace: RECORD_LOG_NAMESPACE,
  });
  t.after(() => client.close());
  const call = (name: string, args: Answer | string): Promise<Answer> =>
    client.call(name, { rpcArgs: [args], subLevel: [] }) as Promise<Answer>;
  return {
    hold: (holder: string, leaseMs = 60_000) => call('holdReader', { reader: 'r', holder, leaseMs }),
    save: (holder: string, place: string, name = 'a') =>
      call('saveReaderPlace', { reader: 'r', holder, name, place }),
    forget: (reader: string) => call('forgetReader', reader),
    call,
    close: async () => {
      client.close();
      await module.close();
    },
  };
}

test('one holder at a time saves, and the next one finds what was saved, also after a restart', async t => {
  const folder = await temporaryFolder(t);
  const { hold, save, close } = await setUp(t, folder);
  assert.deepEqual(await hold('one'), { holder: 'one', places: {} });
  assert.deepEqual(await hold('two'), { holder: 'one', places: {} });
  assert.deepEqual(await save('one', '1'), { saved: true });
  assert.deepEqual(await save('two', '2'), { saved: false });
  assert.deepEqual(await hold('two', 0), { holder: 'one', places: { a: '1' } });
  assert.deepEqual(await hold('one', 0), { holder: 'one', places: { a: '1' } });
  assert.deepEqual(await hold('two'), { holder: 'two', places: { a: '1' } });
  assert.deepEqual(await save('one', '9'), { saved: false });
  assert.deepEqual(await save('two', '2', 'b'), { saved: true });
  await close();
  const again = await setUp(t, folder);
  assert.deepEqual(await again.hold('one'), { holder: 'two', places: { a: '1', b: '2' } });
  assert.deepEqual(await again.save('two', '3'), { saved: true });
});

test('a holder that says nothing for its lease is followed', async t => {
  const { hold, save } = await setUp(t, await temporaryFolder(t));
  await hold('one', 50);
  await save('one', '1');
  for (let answer: Answer = {}; answer.holder !== 'two';) answer = await hold('two');
  assert.deepEqual(await save('one', '2'), { saved: false });
  assert.deepEqual(await hold('one'), { holder: 'two', places: { a: '1' } });
});

test('what is no reader, holder, time or place is refused, and so is more than is kept', async t => {
  const { call, hold, save } = await setUp(t, await temporaryFolder(t));
  await hold('one');
  const wrong: readonly (readonly [string, Answer])[] = [
    ['holdReader', { reader: 'a b', holder: 'x', leaseMs: 1 }],
    ['holdReader', { reader: 'r', holder: '', leaseMs: 1 }],
    ['holdReader', { reader: 'r', holder: 'x', leaseMs: -1 }],
    ['holdReader', { reader: 'r', holder: 'x', leaseMs: 1e9 }],
    ['saveReaderPlace', { reader: 'r', holder: 'one', name: 'a' }],
    ['saveReaderPlace', { reader: 'r', holder: 'one', name: 'a', place: 'x'.repeat(5000) }],
    ['saveReaderPlace', { reader: 'r', holder: 'one', name: '__proto__', place: 'x' }],
  ];
  const refused = (err: unknown): boolean => isErrorType(err, 'InvalidArgument');
  for (const [name, args] of wrong) await assert.rejects(call(name, args), refused, JSON.stringify(args));
  for (let n = 0; n < 64; n += 1) await save('one', 'x', `name ${n}`);
  await assert.rejects(save('one', 'x', 'one more'), refused);
});

test('a reader that is forgotten makes room for another one, also after a restart', async t => {
  const folder = await temporaryFolder(t);
  const { call, hold, save, forget, close } = await setUp(t, folder);
  await hold('one');
  await save('one', '1');
  const holdOther = (n: number): Promise<Answer> =>
    call('holdReader', { reader: `r${n}`, holder: 'one', leaseMs: 1 });
  for (let n = 1; n < 64; n += 1) await holdOther(n);
  await assert.rejects(holdOther(64), (err: unknown) => isErrorType(err, 'SlowDown'));
  await forget('r');
  assert.deepEqual(await save('one', '2'), { saved: false });
  await holdOther(64);
  await forget('r64');
  await close();
  const again = await setUp(t, folder);
  assert.deepEqual(await again.hold('two'), { holder: 'two', places: {} });
});
