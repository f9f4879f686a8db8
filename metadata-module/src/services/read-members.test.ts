import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '@zenko-modules/common/testing/random';
import { streamIdOf, WireClient } from '../testing/socket-io-clients.js';
import { startModule } from '../testing/start-module.js';
import { parseValue } from '../versioning/version-value.js';
import { membersOf, membersReader } from './read-members.js';
import { ValueShapes } from './value-shapes.js';

const NAMES = ['size', 'md5', 'isPHD', 'owner', '__proto__'];

/** What a reader must tell, found by parsing alone. */
function told(value: string, names: readonly string[] = NAMES): unknown {
  const parsed = parseValue(value);
  const members = parsed && membersOf(parsed, names);
  return members ? ['k', ...members] : { key: 'k', value };
}

const name = fc.constantFrom(...NAMES, 'size', 'md5', 'other', 'a"b', 'size\\', '\uE000', '', '1');
const text = fc.oneof(
  fc.constantFrom('', 'plain', '","size":1,"x":"', '}', '\\', '"', '\u0000', '\u001f', '\uE000', '😀', '/*'),
  fc.string({ unit: 'binary', maxLength: 5 }),
);
const number = fc.oneof(fc.nat(), fc.constantFrom(0, -1, 1.5, 1e21, 999_999_999_999_999, 2 ** 53));
const plain = fc.oneof(text, number, fc.boolean());
const { object } = fc.letrec<{ object: object; value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 3 },
    { arbitrary: plain, weight: 6 },
    { arbitrary: fc.constant(null), weight: 1 },
    { arbitrary: tie('object'), weight: 2 },
    { arbitrary: fc.array(tie('value'), { maxLength: 3 }), weight: 1 },
  ),
  object: fc.array(fc.tuple(name, tie('value')), { maxLength: 7 }).map(ofMembers),
}));

/** As `JSON.parse` makes it, with a member `__proto__` too. */
function ofMembers(members: readonly (readonly [string, unknown])[]): object {
  const written = members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return JSON.parse(`{${written.join()}}`) as object;
}

interface Leaves {
  readonly texts: readonly string[];
  readonly numbers: readonly number[];
}

/** Another text or number in the place of each. */
function varied(value: unknown, leaves: Leaves): unknown {
  let at = 0;
  const vary = (member: unknown): unknown => {
    if (typeof member === 'string') return leaves.texts[at++ % leaves.texts.length];
    if (typeof member === 'number') return leaves.numbers[at++ % leaves.numbers.length];
    if (Array.isArray(member)) return member.map(vary);
    if (typeof member !== 'object' || member === null) return member;
    return ofMembers(Object.entries(member).map(([key, inner]) => [key, vary(inner)]));
  };
  return vary(value);
}

const leaves = fc.record({
  texts: fc.array(text, { minLength: 1, maxLength: 5 }),
  numbers: fc.array(number, { minLength: 1, maxLength: 5 }),
});

/** Texts that are nearly what was written, and mean something else or nothing. */
const damage = fc.oneof(
  fc.constant((written: string) => written),
  fc
    .tuple(fc.nat(), fc.constantFrom('"', '\\', '{', '}', ',', ':', '\n', ' ', '0', '\u0001', 'e5'))
    .map(([at, put]) => (written: string) => {
      const place = at % (written.length + 1);
      return written.slice(0, place) + put + written.slice(place + (at % 2));
    }),
  fc.nat().map(at => (written: string) => written.slice(0, at % (written.length + 1))),
  fc.constant((written: string) => JSON.stringify(JSON.parse(written), undefined, 1)),
  fc.constant((written: string) => written.replace('"size"', String.raw`"siz\u0065"`)),
  fc.constant((written: string) => written.replace(/}$/, ',"size":7}')),
  fc.constant((written: string) => written.replace(/^{/, '{"md5":"first",')),
  fc.constant((written: string) => `${written} `),
  fc.constant((written: string) => written.replace(/:(\d)/, ':0$1')),
  fc.constant((written: string) => written.replaceAll('"\uE000"', '1')),
);

test('members are the same as those of the parsed value, whatever was read before it', t => {
  const { seed } = seededRandom(t);
  fc.assert(
    fc.property(
      object,
      damage,
      fc.array(fc.tuple(leaves, damage), { maxLength: 12 }),
      (example, damaged, others) => {
        const reader = membersReader(NAMES);
        const values = others.map(([each, otherwise]) => otherwise(JSON.stringify(varied(example, each))));
        for (const value of [damaged(JSON.stringify(example)), ...values]) {
          assert.deepEqual(reader({ key: 'k', value }), told(value), value);
        }
      },
    ),
    { seed, numRuns: 3000 },
  );
});

test('a value of a known shape is not parsed, one of another is', () => {
  const shapes = new ValueShapes(['size', 'md5', 'gone']);
  const example = { md5: 'a', acl: { md5: 'x', size: 1 }, size: 1, parts: [{ key: 'k' }] };
  const value = JSON.stringify(example);
  assert.equal(shapes.find(value), undefined);
  shapes.learn(value, example, [1, 'a']);
  assert.deepEqual(shapes.find('{"md5":"b","acl":{"md5":"y","size":2},"size":30,"parts":[{"key":"é"}]}'), [
    30,
    'b',
  ]);
  for (const other of [
    value.replace('"a"', String.raw`"\n"`),
    value.replace('"a"', '"\n"'),
    value.replace('"size":1}', '"size":01}'),
    value.replace('"size":1}', '"size":1.0}'),
    value.replace('"size":1}', '"size":1000000000000000}'),
    value.replace('"parts"', '"Parts"'),
    value.replace('}]}', '}],"md5":"c"}'),
    ` ${value}`,
    `${value}\n`,
  ]) {
    assert.equal(shapes.find(other), undefined, other);
  }
});

test('a value that holds what the pattern is made with is not learned', () => {
  const shapes = new ValueShapes(['a']);
  const example = { '\uE000': 1, a: 'x' };
  shapes.learn(JSON.stringify(example), example, ['x']);
  assert.equal(shapes.find('{1:"x","a":}'), undefined);
});

test('what is too deep or too large is told all the same', () => {
  const reader = membersReader(['size']);
  for (const depth of [1000, 2500, 4000, 100_000]) {
    const value = `{"size":1,"deep":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    for (let times = 0; times < 2; times += 1) assert.deepEqual(reader({ key: 'k', value }), ['k', 1]);
  }
  const large = { key: 'k', value: `{"size":1,"x":"${'x'.repeat(8 * 1024 * 1024)}"}` };
  assert.equal(reader(large), large);
});

test('a client reads members of a range of entries, and whole entries where they are not plain', async t => {
  const client = await WireClient.connect(t, (await startModule(t)).metadataUrl);
  const subLevel = ['bucket'];
  const values = {
    a: '{"size":1,"md5":"x"}',
    b: '{"size":2,"md5":"y"}',
    c: '{"md5":"z","isPHD":false}',
    d: '{}',
    e: 'no JSON',
    f: '{"size":{"not":"plain"}}',
    g: '{"size":null}',
  };
  for (const [key, value] of Object.entries(values)) {
    assert.equal((await client.call('put', { rpcArgs: [key, value, {}], subLevel })).err, null);
  }
  const read = async (range: unknown, members: readonly string[]): Promise<unknown[]> => {
    const { err, result } = await client.call('readMembers', { rpcArgs: [range, { members }], subLevel });
    assert.equal(err, null);
    return client.items(streamIdOf(result));
  };
  assert.deepEqual(await read({}, ['size', 'isPHD', 'md5']), [
    ['a', 1, null, 'x'],
    ['b', 2, null, 'y'],
    ['c', null, false, 'z'],
    ['d'],
    { key: 'e', value: 'no JSON' },
    { key: 'f', value: values.f },
    { key: 'g', value: values.g },
  ]);
  assert.deepEqual(await read({ gt: 'a', lt: 'd', reverse: true }, ['md5']), [
    ['c', 'z'],
    ['b', 'y'],
  ]);
  assert.deepEqual(await read({ lt: 'b' }, []), [['a']]);
  for (const options of [
    undefined,
    {},
    { members: 'size' },
    { members: [1] },
    { members: Array(33).fill('x') },
  ]) {
    const { err } = await client.call('readMembers', { rpcArgs: [{}, options], subLevel });
    assert.equal(err?.type, 'InvalidArgument');
  }
});

test('a member whose name is the mark, written as an escape, makes no pattern', () => {
  const read = membersReader(NAMES);
  const entry = (value: string) => ({ key: 'k', value });
  assert.deepEqual(read(entry(String.raw`{"\ue000":1,"size":5}`)), ['k', 5]);
  const notJson = '{7:8,"size":}';
  assert.deepEqual(read(entry(notJson)), entry(notJson));
});
