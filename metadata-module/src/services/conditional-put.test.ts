import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { streamIdOf, WireClient } from '../testing/socket-io-clients.js';
import { startModule } from '../testing/start-module.js';
import { sha256Of } from '../versioning/compare-and-swap.js';
import { INFINITE_VERSION_ID } from '../versioning/version-id.js';

const subLevel = ['bucket'];

interface Bucket {
  /** The answer, or the type of the error. */
  readonly call: (name: string, ...rpcArgs: readonly unknown[]) => Promise<unknown>;
  /** The error of a put of `k` with these options. */
  readonly fails: (options: unknown) => Promise<string>;
  /** Everything in the bucket. */
  readonly entries: () => Promise<unknown>;
}

async function openBucket(t: TestContext): Promise<Bucket> {
  const client = await WireClient.connect(t, (await startModule(t)).metadataUrl);
  return {
    call: async (name, ...rpcArgs) => {
      const { err, result } = await client.call(name, { rpcArgs, subLevel });
      return err ? err.type : (result ?? undefined);
    },
    fails: async options => {
      const { err } = await client.call('put', { rpcArgs: ['k', '{}', options], subLevel });
      return `${String(err?.type)} ${String(err?.code)}: ${String(err?.description)}`;
    },
    entries: async () => {
      const { result } = await client.call('createReadStream', { rpcArgs: [{}], subLevel });
      return client.items(streamIdOf(result));
    },
  };
}

const NEWER = '10000000000000999999RG001  7';
/** What a put can be asked for, each with the options that say so. */
const VARIANTS: readonly (readonly [string, object])[] = [
  ['plain', {}],
  ['versioned', { versioning: true }],
  ['a new null version', { versionId: '' }],
  ['a new null version in the place of one under the null key', { versionId: '', deleteNullKey: true }],
  ['under the null key', { versionId: 'null' }],
  ['a version that is newer', { versionId: NEWER }],
  ['a version that is older', { versionId: INFINITE_VERSION_ID }],
  ['a newer null version', { versionId: NEWER, isNull: true }],
  ['an older null version', { versionId: INFINITE_VERSION_ID, isNull: true }],
  ['a newer version, which is none', { versionId: NEWER, isNull: false }],
  ['with options of CloudServer', { versioning: true, overheadField: ['versionId'], replayId: 'u' }],
];

for (const [name, options] of VARIANTS) {
  test(`a put on a condition changes nothing unless that holds: ${name}`, async t => {
    const { call, fails, entries } = await openBucket(t);
    const put = (condition: object) => call('put', 'k', '{"new":1}', { ...options, ...condition });
    assert.match(
      await fails({ ...options, ifCurrent: { sha256: sha256Of('{}') } }),
      /^PreconditionFailed 412/,
    );
    assert.deepEqual(await entries(), [], 'there is none');

    await call('put', 'k', '{"old":1}', { versioning: true });
    const current = { sha256: sha256Of((await call('get', 'k', {})) as string) };
    const before = await entries();
    for (const sha256 of [null, sha256Of('{"old":1}')]) {
      assert.match(await fails({ ...options, ifCurrent: { sha256 } }), /^PreconditionFailed 412: ifCurrent/);
    }
    const marked = { subLevel: ['other'], key: 'mark', sha256: sha256Of('x') };
    assert.match(
      await fails({ ...options, ifCurrent: current, ifEntry: marked }),
      /^PreconditionFailed 412: ifEntry/,
    );
    assert.deepEqual(await entries(), before);

    assert.doesNotMatch(String(await put({ ifCurrent: current })), /PreconditionFailed/);
    assert.notDeepEqual(await entries(), before);
  });
}

test('where there is no value, a put may ask for that', async t => {
  const { call } = await openBucket(t);
  const options = { ifCurrent: { sha256: null } };
  assert.equal(await call('put', 'k', '{"a":1}', options), undefined);
  assert.equal(await call('put', 'k', '{"a":2}', options), 'PreconditionFailed');
  assert.equal(await call('get', 'k', {}), '{"a":1}');
});

test('the value behind a deleted newest version is the one before it', async t => {
  const { call } = await openBucket(t);
  await call('put', 'k', '{"a":1}', { versioning: true });
  const first = (await call('get', 'k', {})) as string;
  const { versionId } = JSON.parse((await call('put', 'k', '{"a":2}', { versioning: true })) as string) as {
    versionId: string;
  };
  await call('del', 'k', { versionId });
  assert.equal(await call('put', 'k', '{"no":1}', { ifCurrent: { sha256: null } }), 'PreconditionFailed');
  assert.equal(await call('put', 'k', '{"a":3}', { ifCurrent: { sha256: sha256Of(first) } }), undefined);
  assert.equal(await call('get', 'k', {}), '{"a":3}');

  await call('put', 'only', '{"a":1}', { versioning: true });
  const only = JSON.parse((await call('get', 'only', {})) as string) as { versionId: string };
  await call('del', 'only', { versionId: only.versionId });
  assert.equal(await call('put', 'only', '{"a":2}', { ifCurrent: { sha256: null } }), undefined);
});

test('an entry of another database may be the right to a put, until it is another or gone', async t => {
  const { call } = await openBucket(t);
  const mark = (value: string) => call('put', 'mark', value, {});
  const put = (value: string, text: string) =>
    call('put', 'k', value, { ifEntry: { subLevel, key: 'mark', sha256: sha256Of(text) } });
  await mark('first');
  assert.equal(await put('{"a":1}', 'first'), undefined);
  await mark('second');
  assert.equal(await put('{"a":2}', 'first'), 'PreconditionFailed');
  assert.equal(await put('{"a":3}', 'second'), undefined);
  await call('del', 'mark', {});
  assert.equal(await put('{"a":4}', 'second'), 'PreconditionFailed');
  assert.equal(await call('get', 'k', {}), '{"a":3}');
});

test('of many that have seen the same value one stores its own', async t => {
  const { call } = await openBucket(t);
  await call('put', 'k', '{}', {});
  const ifCurrent = { sha256: sha256Of('{}') };
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => call('put', 'k', `{"n":${n}}`, { versioning: true, ifCurrent })),
  );
  assert.equal(answers.filter(answer => answer === 'PreconditionFailed').length, 19);
});

test('conditions that are none are refused by name; null stands for none', async t => {
  const { call, fails } = await openBucket(t);
  const sound = { subLevel, key: 'mark', sha256: null };
  for (const [options, field] of [
    [{ ifCurrent: 'x' }, 'ifCurrent'],
    [{ ifCurrent: true }, 'ifCurrent'],
    [{ ifCurrent: {} }, 'ifCurrent.sha256'],
    [{ ifCurrent: { sha256: 7 } }, 'ifCurrent.sha256'],
    [{ ifCurrent: { sha256: 'AB'.repeat(32) } }, 'ifCurrent.sha256'],
    [{ versioning: true, ifCurrent: { sha256: '' } }, 'ifCurrent.sha256'],
    [{ ifEntry: [] }, 'ifEntry'],
    [{ ifEntry: { ...sound, subLevel: 'bucket' } }, 'ifEntry.subLevel'],
    [{ ifEntry: { ...sound, subLevel: ['a!'] } }, 'ifEntry.subLevel.0'],
    [{ ifEntry: { ...sound, key: 'a\0b' } }, 'ifEntry.key'],
    [{ ifEntry: { ...sound, key: undefined } }, 'ifEntry.key'],
    [{ ifEntry: { ...sound, sha256: undefined } }, 'ifEntry.sha256'],
  ] as const) {
    const message = await fails(options);
    assert.ok(message.startsWith(`InvalidArgument 400: options.${field}: `), message);
  }
  assert.equal(await call('get', 'k', {}), 'ObjNotFound');
  assert.equal(await call('put', 'k', '{}', { ifCurrent: null, ifEntry: null }), undefined);
});
