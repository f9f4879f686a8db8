import assert from 'node:assert/strict';
import test from 'node:test';
import { sleep } from '@zenko-modules/common/deadline';
import { GENERATIONS, streamIdOf, WireClient } from '../testing/socket-io-clients.js';
import { startModule } from '../testing/start-module.js';

const KEYS = ['a', 'ключ', 'é😀', 'key with "quotes" \\ and \n', '日本語/オブジェクト', '\u0001'];

for (const generation of GENERATIONS) {
  const { name } = generation;

  test(`${name} puts, gets, deletes and is told of errors, with keys of any script`, async t => {
    const client = await WireClient.connect(t, (await startModule(t)).metadataUrl, generation);
    const subLevel = ['bücket'];
    for (const key of KEYS) {
      const value = JSON.stringify({ key });
      assert.deepEqual(await client.call('put', { rpcArgs: [key, value, {}], subLevel }), {
        err: null,
        result: null,
      });
      assert.deepEqual(await client.call('get', { rpcArgs: [key, {}], subLevel }), {
        err: null,
        result: value,
      });
    }
    const versioned = await client.call('put', { rpcArgs: ['v', '{}', { versioning: true }], subLevel });
    const { versionId } = JSON.parse(String(versioned.result)) as { versionId: string };
    assert.match(versionId, /^\d{20}RG001 {2}\d+$/);
    assert.deepEqual(await client.call('del', { rpcArgs: ['a'], subLevel }), { err: null, result: null });
    const { err } = await client.call('get', { rpcArgs: ['a', {}], subLevel });
    assert.equal(err?.type, 'ObjNotFound');
    assert.equal(err.code, 404);
    assert.equal(err.message, 'ObjNotFound');
    assert.equal(err['ObjNotFound'], true);
    assert.equal(err.is_arsenal_error, true);
    assert.equal((await client.call('noSuchCall', { rpcArgs: [] })).err?.type, 'InvalidArgument');
  });

  test(`${name} reads streams to their end, inside an object too, and hangs up`, async t => {
    const module = await startModule(t);
    const client = await WireClient.connect(t, module.metadataUrl, generation);
    const subLevel = ['bucket'];
    const keys = Array.from({ length: 3000 }, (_, index) => `é${String(index).padStart(5, '0')}`);
    const value = JSON.stringify({ some: 'x'.repeat(500) });
    await Promise.all(keys.map(key => client.call('put', { rpcArgs: [key, value, {}], subLevel })));

    const whole = await client.call('createReadStream', { rpcArgs: [{}], subLevel });
    assert.deepEqual(
      await client.items(streamIdOf(whole.result)),
      keys.map(key => ({ key, value })),
    );

    const page = streamIdOf((await client.call('createReadStream', { rpcArgs: [{}], subLevel })).result);
    assert.equal((await client.items(page, 100)).length, 100);
    client.hangUp(page);
    await noStreamIsOpen(module.probeUrl);

    const log = await WireClient.connect(t, module.recordLogUrl, generation);
    const { result } = await log.call('readRecords', { rpcArgs: [{ startSeq: 2, limit: 2 }] });
    assert.deepEqual((result as { info: unknown }).info, { start: 2, end: 3 });
    const items = (await log.items(streamIdOf(result))) as {
      db: string;
      timestamp: string;
      entries: unknown;
    }[];
    assert.equal(items.length, 2);
    assert.equal(items[0]?.db, 'bucket');
    assert.ok(Math.abs(Date.now() - Date.parse(items[0].timestamp)) < 600_000);
  });
}

async function noStreamIsOpen(probeUrl: string): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    const metrics = await (await fetch(`${probeUrl}/metrics`)).text();
    if (/^metadata_open_streams 0$/m.test(metrics) && /^metadata_open_iterators 0$/m.test(metrics)) return;
    assert.ok(tries < 100, `a stream stays open: ${/^metadata_open.*$/gm.exec(metrics)?.join() ?? ''}`);
    await sleep(50);
  }
}
