import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { temporaryFolder } from '@zenko-modules/common/testing/temporary-folder';
import { streamIdOf, type WireAnswer, WireClient } from '../testing/socket-io-clients.js';
import { startModule } from '../testing/start-module.js';

const BUCKET = ['bucket'];

async function connect(t: TestContext): Promise<WireClient> {
  return WireClient.connect(t, (await startModule(t)).metadataUrl);
}

async function put(client: WireClient, subLevel: string[], key: string, value = '{}'): Promise<void> {
  assert.equal((await client.call('put', { rpcArgs: [key, value, {}], subLevel })).err, null);
}

async function list(
  client: WireClient,
  subLevel: string[],
  range: unknown,
  call = 'createReadStream',
): Promise<unknown[]> {
  const { err, result } = await client.call(call, { rpcArgs: [range], subLevel });
  assert.equal(err, null);
  return client.items(streamIdOf(result));
}

const keys = async (client: WireClient, range: unknown): Promise<unknown[]> =>
  (await list(client, BUCKET, range)).map(item => (item as { key: string }).key);

test('put, get and del of what is there and what is not', async t => {
  const client = await connect(t);
  const get = (key: string): Promise<WireAnswer> =>
    client.call('get', { rpcArgs: [key, {}], subLevel: BUCKET });
  assert.equal((await get('k')).err?.type, 'ObjNotFound');
  assert.deepEqual(await client.call('del', { rpcArgs: ['k', {}], subLevel: BUCKET }), {
    err: null,
    result: null,
  });
  await put(client, BUCKET, 'k', 'any text');
  assert.equal((await get('k')).result, 'any text');
  assert.deepEqual(await client.call('del', { rpcArgs: ['k', null], subLevel: BUCKET }), {
    err: null,
    result: null,
  });
  assert.equal((await get('k')).err?.type, 'ObjNotFound');
});

test('options that the module does not know are ignored', async t => {
  const client = await connect(t);
  const options = {
    overheadField: ['a'],
    replayId: 'x',
    getDeleteMarker: true,
    deleteData: true,
    doesNotNeedOpogUpdate: 1,
  };
  for (const [call, rpcArgs] of [
    ['put', ['k', '{}', options]],
    ['get', ['k', options]],
    ['del', ['k', options]],
  ] as const) {
    assert.equal((await client.call(call, { rpcArgs, subLevel: BUCKET })).err, null);
  }
});

test('arguments that are wrong get an error that names them and says what is accepted', async t => {
  const client = await connect(t);
  const cases: [string, unknown[], RegExp, unknown?][] = [
    ['put', [], /^key: /],
    ['put', [7, '{}'], /^key: /],
    ['put', ['', '{}'], /^key: expected a text that is not empty/],
    ['put', ['a\0b', '{}'], /^key: expected a text without NUL/],
    ['put', ['a\ud800', '{}'], /^key: expected well-formed text/],
    ['put', ['x'.repeat(16_385), '{}'], /^key: expected at most 16384 bytes/],
    ['put', ['é'.repeat(8193), '{}'], /^key: expected at most 16384 bytes/],
    ['put', ['k'], /^value: /],
    ['put', ['k', { n: 1 }], /^value: /],
    ['put', ['k', '"\udfff"'], /^value: expected well-formed text/],
    ['put', ['k', '{}', 'versioning'], /^options: /],
    ['put', ['k', '{}', []], /^options: /],
    ['put', ['k', '{}', { versionId: 7 }], /^options\.versionId: /],
    ['put', ['k', '{}', { versionId: 'a\0' }], /^options\.versionId: expected a text without NUL/],
    ['put', ['k', '{}', { isNull: 'yes', versionId: 'x' }], /^options\.isNull: /],
    ['put', ['k', `[${'1,'.repeat(1_000_001)}1]`], /^value: expected the JSON of at most 1000000 members/],
    ['put', ['k', 'text', { versioning: true }], /^value: expected the JSON text of an object/],
    ['put', ['k', '[1]', { versionId: '' }], /^value: expected the JSON text of an object/],
    ['get', [], /^key: /],
    ['get', ['k', { versionId: {} }], /^options\.versionId: /],
    ['del', [null], /^key: /],
    ['del', ['k', { isNull: 1, versionId: 'x' }], /^options\.isNull: /],
    ['createReadStream', ['all'], /^options: /],
    ['createReadStream', [{ gt: 5 }], /^options\.gt: /],
    ['createReadStream', [{ limit: -2 }], /^options\.limit: expected at least -1/],
    ['createReadStream', [{ reverse: 'yes' }], /^options\.reverse: /],
    ['rawListKeys', [{ lt: {} }], /^options\.lt: /],
    ['get', ['k'], /^subLevel/, 'bucket'],
    ['get', ['k'], /^subLevel\.0: expected a name without "!"/, ['a!b']],
    ['get', ['k'], /^subLevel\.0: expected a name without "!"/, ['a#b']],
    ['get', ['k'], /^subLevel\.1: expected a name without "!"/, ['a', '\0']],
    ['get', ['k'], /^subLevel\.0: expected a name that is not empty/, ['']],
    ['get', ['k'], /^subLevel\.0: expected at most 512 bytes/, ['x'.repeat(513)]],
    ['get', ['k'], /^subLevel: /, Array.from({ length: 9 }, () => 'a')],
    ['get', ['k'], /^subLevel\.0: this database is the record log/, ['..recordLogs', 's3-recordlog']],
    ['put', ['k', '{}'], /^subLevel\.0: this database is the record log/, ['..recordLogs']],
  ];
  for (const [call, rpcArgs, message, subLevel = BUCKET] of cases) {
    const { err } = await client.send(call, { rpcArgs, subLevel });
    assert.equal(err?.type, 'InvalidArgument', JSON.stringify([call, rpcArgs, subLevel]).slice(0, 200));
    assert.match(err.description, message);
  }
  assert.deepEqual(await list(client, [], {}, 'rawListKeys'), [], 'nothing was stored');
});

test('a value too deep to be written again is stored as it is, and named when a version is to replace it', async t => {
  const client = await connect(t);
  const deep = `{"a":${'['.repeat(400_000)}${']'.repeat(400_000)}}`;
  await put(client, BUCKET, 'k', deep);
  const options = { versionId: '98999999999999999999RG001  7', isNull: false };
  const { err } = await client.call('put', { rpcArgs: ['k', '{}', options], subLevel: BUCKET });
  assert.equal(err?.type, 'InvalidArgument');
  assert.match(err.description, /nested too deeply/);
  assert.equal((await client.call('get', { rpcArgs: ['k', {}], subLevel: BUCKET })).result, deep);
});

test('databases do not see each other, whatever their names and keys', async t => {
  const client = await connect(t);
  const databases = [
    [],
    ['a'],
    ['a', 'b'],
    ['b'],
    ['ab'],
    ['a '],
    ['ä'],
    ['..'],
    ['users..bucket'],
    ['__metastore'],
  ];
  for (const subLevel of databases) {
    for (const key of ['k', '!k', '#k', '!a!k', 'b!k', '"']) {
      await put(client, subLevel, key, JSON.stringify([subLevel, key]));
    }
  }
  for (const subLevel of databases) {
    const found = (await list(client, subLevel, {})) as { key: string; value: string }[];
    assert.deepEqual(
      found.map(({ key, value }) => [key, value]),
      ['!a!k', '!k', '"', '#k', 'b!k', 'k'].map(key => [key, JSON.stringify([subLevel, key])]),
    );
  }
  assert.equal((await list(client, [], {}, 'rawListKeys')).length >= databases.length * 6, true);
});

test('a listing is in the byte order of UTF-8, from every bound, from either end', async t => {
  const client = await connect(t);
  for (const key of ['b', 'a', 'é', 'a\u0001', '\uffee', 'Z', '日', 'a/1', 'a/2'])
    await put(client, BUCKET, key);
  const order = ['Z', 'a', 'a\u0001', 'a/1', 'a/2', 'b', 'é', '日', '\uffee'];
  assert.deepEqual(await keys(client, {}), order);
  assert.deepEqual(await keys(client, undefined), order);
  assert.deepEqual(await keys(client, { reverse: true }), [...order].reverse());
  assert.deepEqual(await keys(client, { reverse: true, limit: 2 }), ['\uffee', '日']);
  assert.deepEqual(await keys(client, { limit: 2 }), ['Z', 'a']);
  assert.deepEqual(await keys(client, { limit: 0 }), []);
  assert.deepEqual(await keys(client, { limit: -1 }), order);
  assert.deepEqual(await keys(client, { gt: 'a' }), order.slice(2));
  assert.deepEqual(await keys(client, { gte: 'a', lt: 'a/2' }), ['a', 'a\u0001', 'a/1']);
  assert.deepEqual(await keys(client, { gt: 'a', lte: 'a/2' }), ['a\u0001', 'a/1', 'a/2']);
  assert.deepEqual(await keys(client, { gt: 'a', gte: 'a/1', lt: 'é', lte: 'b' }), ['a/1', 'a/2', 'b']);
  assert.deepEqual(await keys(client, { gt: 'b', lt: 'a' }), []);
  assert.deepEqual(await keys(client, { gt: null, limit: null }), order);
});

test('an open range ends where its database ends, whatever character its keys begin with', async t => {
  const client = await connect(t);
  const order = ['!', 'a', '~', '\ud7ff', '\ue000', '\uffff', '\uffffa', '\u{10000}', '😀.txt', '\u{10ffff}'];
  order.push('\u{10ffff}'.repeat(3));
  // Databases that sort just before and just after, whichever byte follows a name.
  const databases = [
    BUCKET,
    ...['-', '.', '/', '0', '~', '😀', '\u{10ffff}'].map(end => [`${BUCKET[0] ?? ''}${end}`]),
  ];
  databases.push([], [...BUCKET, 'nested'], ['\u{10ffff}']);
  for (const subLevel of databases) for (const key of order) await put(client, subLevel, key);
  for (const subLevel of databases) {
    const found = async (range: object): Promise<unknown[]> =>
      (await list(client, subLevel, range)).map(entry => (entry as { key: string }).key);
    assert.deepEqual(await found({}), order, `all of ${JSON.stringify(subLevel)}`);
    assert.deepEqual(await found({ reverse: true }), [...order].reverse());
    assert.deepEqual(await found({ reverse: true, limit: 1 }), order.slice(-1));
    for (const [index, key] of order.entries()) {
      assert.deepEqual(await found({ gt: key }), order.slice(index + 1));
      assert.deepEqual(await found({ gte: key }), order.slice(index));
      assert.deepEqual(await found({ lt: key }), order.slice(0, index));
    }
  }
  const raw = await list(client, [], { gt: '!\u{10ffff}!\uffff' }, 'rawListKeys');
  assert.deepEqual(
    raw,
    order.slice(6).map(key => `!\u{10ffff}!${key}`),
    'raw keys, up to the last',
  );
});

test('versions of a key beyond U+FFFF are listed, and take the place of a deleted master', async t => {
  const client = await connect(t);
  const key = '😀.txt';
  const versionIds: string[] = [];
  for (const n of [1, 2]) {
    const { result } = await client.call('put', {
      rpcArgs: [key, JSON.stringify({ n }), { versioning: true }],
      subLevel: BUCKET,
    });
    versionIds.unshift((JSON.parse(String(result)) as { versionId: string }).versionId);
  }
  assert.deepEqual(await keys(client, {}), [key, ...versionIds.map(id => `${key}\0${id}`)]);
  await client.call('del', { rpcArgs: [key, { versionId: versionIds[0] }], subLevel: BUCKET });
  const { result } = await client.call('get', { rpcArgs: [key, {}], subLevel: BUCKET });
  assert.equal((JSON.parse(String(result)) as { n: number }).n, 1);
});

test('a number beyond what a store or the log counts to is the largest, and no smaller one', async t => {
  const module = await startModule(t);
  const client = await WireClient.connect(t, module.metadataUrl);
  const log = await WireClient.connect(t, module.recordLogUrl);
  const order = ['a', 'b', 'c'];
  for (const key of order) await put(client, BUCKET, key);
  for (const large of [
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
    2 ** 32 + 1,
    2 ** 53 - 1,
    2 ** 53,
    2 ** 64 + 2 ** 20,
    1e300,
  ]) {
    for (const limit of large < 1e15 ? [large, String(large)] : [large]) {
      assert.deepEqual(await keys(client, { limit }), order, `limit ${limit}`);
      assert.deepEqual(await keys(client, { limit, reverse: true }), [...order].reverse());
      assert.equal((await list(client, [], { limit }, 'rawListKeys')).length, 6);
      for (const range of [{ limit }, { endSeq: limit }]) {
        const { result } = await log.call('readRecords', { rpcArgs: [range] });
        const { info, log: records } = result as { info: unknown; log: unknown };
        assert.deepEqual(info, { start: 1, end: 3 });
        assert.equal((await log.items(streamIdOf(records))).length, 3, JSON.stringify(range));
      }
      const none = await log.call('readRecords', { rpcArgs: [{ startSeq: limit }] });
      assert.deepEqual((none.result as { info: unknown }).info, { start: null, end: null });
    }
  }
  const { result } = await log.call('pruneRecords', { rpcArgs: [{ endSeq: 2 ** 32 + 1 }] });
  assert.deepEqual(result, { pruned: 0, start: 1, end: 3 });
});

test('a prefix that ends in any character has its keys, however its upper bound was computed', async t => {
  const client = await connect(t);
  const prefixes = ['a', 'é', '\ud7fb', '\uffee', '😀', '👍🏿', '\u{10ffff}'];
  for (const prefix of prefixes)
    for (const rest of ['', '/1', '\u{10ffff}']) await put(client, BUCKET, prefix + rest);
  for (const prefix of prefixes) {
    // As CloudServer does it: the last UTF-16 unit plus one.
    const last = prefix.charCodeAt(prefix.length - 1);
    const lt = prefix.slice(0, -1) + String.fromCharCode(last + 1);
    assert.deepEqual(await keys(client, { gte: prefix, lt }), [prefix, `${prefix}/1`, `${prefix}\u{10ffff}`]);
  }
});

test('raw keys are those of all databases, as they are stored', async t => {
  const client = await connect(t);
  await put(client, ['b'], 'k');
  await client.call('put', { rpcArgs: ['v', '{}', { versionId: 'null' }], subLevel: ['b'] });
  await put(client, [], 'root');
  assert.deepEqual(await list(client, [], {}, 'rawListKeys'), [
    '!!root',
    '!..recordLogs#s3-recordlog!0000000000000001',
    '!..recordLogs#s3-recordlog!0000000000000002',
    '!..recordLogs#s3-recordlog!0000000000000003',
    '!b!k',
    '!b!v\0',
  ]);
  assert.deepEqual(await list(client, [], { gt: '!b', limit: 1 }, 'rawListKeys'), ['!b!k']);
});

test('the id is that of the deployment, over restarts; disk usage is in bytes', async t => {
  const folder = await temporaryFolder(t);
  const ids = new Set<unknown>();
  for (let round = 0; round < 2; round += 1) {
    const module = await startModule(t, { DATA_DIR: folder });
    const client = await WireClient.connect(t, module.metadataUrl);
    const { result } = await client.call('getUUID', { rpcArgs: [] });
    assert.match(String(result), /^[0-9a-f-]{36}$/);
    ids.add(result);
    const usage = (await client.call('getDiskUsage', { rpcArgs: [] })).result as Record<string, number>;
    assert.deepEqual(Object.keys(usage).sort(), ['available', 'free', 'total']);
    for (const bytes of Object.values(usage)) assert.ok(Number.isSafeInteger(bytes) && bytes > 0);
    await module.close();
  }
  assert.equal(ids.size, 1);
});

test('a page of a large bucket reads little more than the page', async t => {
  const module = await startModule(t);
  const client = await WireClient.connect(t, module.metadataUrl);
  const value = JSON.stringify({ some: 'x'.repeat(500) });
  await Promise.all(Array.from({ length: 5000 }, (_, n) => put(client, BUCKET, `k${n}`, value)));
  const entriesRead = async (): Promise<number> => {
    const { probeUrl } = module;
    const page = await (await fetch(`${probeUrl}/metrics`)).text();
    return Number(/^metadata_entries_read_total (\d+)$/m.exec(page)?.[1]);
  };
  const before = await entriesRead();
  const { result } = await client.call('createReadStream', { rpcArgs: [{}], subLevel: BUCKET });
  assert.equal((await client.items(streamIdOf(result), 1000)).length, 1000);
  client.hangUp(streamIdOf(result));
  const read = (await entriesRead()) - before;
  assert.ok(read >= 1000 && read < 1500, `${read} entries were read for 1000`);
});
