import assert from 'node:assert/strict';
import test from 'node:test';
import { checkKey } from './check-key.js';
import { KeyGroup } from './key-group.js';

const NOW = Date.parse('2026-01-01T00:00:00Z');
/** Later ids sort first. */
const idAt = (ms: number): string => `${99_999_999_999_999 - ms}999999RG001  0`;
const [OLD, NEW] = [idAt(NOW - 60 * 60_000), idAt(NOW - 30 * 60_000)];

type Stored = Readonly<Record<string, object | string>>;

function check(entries: Stored): [string, string | undefined, unknown][] {
  const group = new KeyGroup('k');
  for (const [key, value] of Object.entries(entries))
    group.add({ key, value: typeof value === 'string' ? value : JSON.stringify(value) });
  return checkKey(group, NOW).map(({ kind, versionId, repair }) => [
    kind,
    versionId,
    repair?.map(({ versionId: id, value }) => [id, value === null ? null : (JSON.parse(value) as unknown)]),
  ]);
}

test('what versioning leaves behind is sound', () => {
  const sound: Record<string, Stored> = {
    'a master alone': { k: { a: 1 } },
    'a version': { k: { versionId: NEW }, [`k\0${NEW}`]: { versionId: NEW } },
    versions: {
      k: { versionId: NEW },
      [`k\0${NEW}`]: { versionId: NEW },
      [`k\0${OLD}`]: { versionId: OLD },
    },
    'a null version as the master': {
      k: { versionId: NEW, isNull: true },
      [`k\0${OLD}`]: { versionId: OLD },
    },
    'a null version under its own id, as it was before its tags were changed': {
      k: { versionId: NEW, isNull: true, tags: { a: 'b' } },
      [`k\0${NEW}`]: { versionId: NEW, isNull: true },
    },
    'a null version under its own id': {
      k: { versionId: NEW, nullVersionId: OLD },
      [`k\0${NEW}`]: { versionId: NEW },
      [`k\0${OLD}`]: { versionId: OLD, isNull: true },
    },
    'a null version under the null key': {
      k: { versionId: NEW },
      'k\0': { versionId: OLD, isNull: true, isNull2: true },
      [`k\0${NEW}`]: { versionId: NEW },
    },
    'a place holder that is young': { k: { isPHD: true, versionId: idAt(NOW - 20_000) }, [`k\0${OLD}`]: {} },
    'a version that names no id': {
      k: { versionId: NEW },
      [`k\0${NEW}`]: { versionId: NEW },
      [`k\0${OLD}`]: {},
    },
  };
  for (const [name, entries] of Object.entries(sound)) assert.deepEqual(check(entries), [], name);
});

test('a master that is missing, damaged or was never put back becomes the newest version', () => {
  const versions = { [`k\0${NEW}`]: { versionId: NEW }, [`k\0${OLD}`]: { versionId: OLD } };
  const repair = [[undefined, { versionId: NEW }]];
  assert.deepEqual(check(versions), [['no master', undefined, repair]]);
  assert.deepEqual(check({ k: 'garbage', ...versions }), [['value is not JSON', undefined, repair]]);
  assert.deepEqual(check({ k: { isPHD: true, versionId: OLD }, ...versions }), [
    ['place holder', undefined, repair],
  ]);
  const nullVersion = { versionId: NEW, isNull: true };
  assert.deepEqual(check({ 'k\0': nullVersion, [`k\0${OLD}`]: { versionId: OLD } }), [
    [
      'no master',
      undefined,
      [
        [undefined, nullVersion],
        ['null', null],
      ],
    ],
  ]);
  assert.deepEqual(check({ k: { isPHD: true, versionId: OLD } }), [
    ['place holder', undefined, [[undefined, null]]],
  ]);
});

test('a master and its version that differ, or a version that is missing', () => {
  const version = { versionId: NEW, a: 1 };
  assert.deepEqual(check({ k: { versionId: NEW, a: 2, nullVersionId: OLD }, [`k\0${NEW}`]: version }), [
    ['master differs', undefined, [[undefined, { ...version, nullVersionId: OLD }]]],
  ]);
  assert.deepEqual(check({ k: { ...version, nullVersionId: OLD } }), [
    ['version is missing', NEW, [[NEW, version]]],
  ]);
  assert.deepEqual(check({ k: version, [`k\0${NEW}`]: 'garbage' }), [
    ['value is not JSON', NEW, [[NEW, version]]],
  ]);
  assert.deepEqual(check({ k: version, [`k\0${NEW}`]: { versionId: OLD } }), [
    ['version id differs', NEW, [[NEW, version]]],
  ]);
});

test('an old master gives way to the newest version only where it is kept as a version', () => {
  const newest = { [`k\0${NEW}`]: { versionId: NEW } };
  const kind = 'master is not the newest';
  assert.deepEqual(check({ k: { versionId: OLD }, ...newest, [`k\0${OLD}`]: { versionId: OLD } }), [
    [kind, undefined, [[undefined, { versionId: NEW }]]],
  ]);
  assert.deepEqual(check({ k: { versionId: OLD }, ...newest }), [
    [
      kind,
      undefined,
      [
        [OLD, { versionId: OLD }],
        [undefined, { versionId: NEW }],
      ],
    ],
  ]);
  assert.deepEqual(check({ k: { versionId: OLD, isNull: true }, ...newest }), [[kind, undefined, undefined]]);
  assert.deepEqual(check({ k: { a: 1 }, ...newest }), [[kind, undefined, undefined]]);
  // What is under its id is not what it is now.
  const changed = { versionId: OLD, isNull: true, tags: 'changed' };
  const before = { [`k\0${OLD}`]: { versionId: OLD, isNull: true } };
  assert.deepEqual(check({ k: changed, ...newest, ...before }), [[kind, undefined, undefined]]);
  assert.deepEqual(check({ k: { versionId: OLD, a: 2 }, ...newest, [`k\0${OLD}`]: { versionId: OLD } }), [
    [kind, undefined, undefined],
  ]);
});

test('what nobody but a person can put right is told of, with no repair', () => {
  assert.deepEqual(check({ k: 'garbage' }), [['value is not JSON', undefined, undefined]]);
  assert.deepEqual(check({ k: '[1]' }), [['value is not JSON', undefined, undefined]]);
  assert.deepEqual(check({ k: {}, 'k\0': 'garbage' }), [['value is not JSON', 'null', undefined]]);
  assert.deepEqual(check({ [`k\0${NEW}`]: 'garbage', [`k\0${OLD}`]: { versionId: OLD } }), [
    ['value is not JSON', NEW, undefined],
    ['no master', undefined, undefined],
  ]);
  assert.deepEqual(check({ k: { isNull: true }, 'k\0': { isNull: true } }), [
    ['two null versions', 'null', undefined],
  ]);
});
