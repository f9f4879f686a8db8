import assert from 'node:assert/strict';
import test from 'node:test';
import { validateSortMusicConfig } from './config.js';
import { artistInBucket, artistInKey, isMusic } from './music-file.js';

const validate = (section: object) =>
  validateSortMusicConfig({}, { buckets: ['in'.padEnd(3, 'x')], bucket: 'music', ...section });

test('sections that would loop, or move nothing, are refused by field', () => {
  const cases: [object, RegExp][] = [
    [{ buckets: [] }, /buckets: expected at least one bucket/],
    [{ bucket: 'Music' }, /bucket: expected the name of a bucket/],
    [{ prefix: 'all/' }, /prefix: expected \{artist\} here or in bucket/],
    [{ buckets: ['music'] }, /bucket: may only be one of the buckets/],
    [{ buckets: ['music-in'], bucket: 'music-{artist}' }, /bucket: may only be one of the buckets/],
    [
      { buckets: ['music'], fromPrefix: 'in/', prefix: 'in/{artist}/' },
      /prefix: must not begin with fromPrefix/,
    ],
    [{ maxReadBytes: 1 }, /maxReadBytes/],
    [{ maxreadbytes: 100_000 }, /"maxreadbytes"/],
  ];
  for (const [section, message] of cases) assert.throws(() => validate(section), message);
  assert.equal(validate({}).prefix, '{artist}/');
  assert.equal(
    validate({ buckets: ['music'], fromPrefix: 'in/', prefix: 'sorted/{artist}/' }).fromPrefix,
    'in/',
  );
  assert.equal(validate({ bucket: 'music-{artist}', prefix: '' }).prefix, '');
});

test('artists become parts of keys and of names of buckets', () => {
  assert.equal(artistInKey(' AC/DC\0 '), 'AC DC');
  assert.equal(artistInKey('Björk'), 'Björk');
  assert.equal(artistInBucket('Sigur Rós & Friends!'), 'sigur-ros-friends');
  assert.equal(artistInBucket('東京'), '');
});

test('music is told by its type, or by its name', () => {
  for (const [key, type] of [
    ['a.MP3', undefined],
    ['a', 'audio/flac'],
    ['b/c.m4a', 'binary/octet-stream'],
  ] as const) {
    assert.equal(isMusic(key, type), true, key);
  }
  for (const [key, type] of [
    ['mp3', undefined],
    ['a.mp3.txt', 'text/plain'],
    ['cover.jpg', 'image/jpeg'],
  ] as const) {
    assert.equal(isMusic(key, type), false, key);
  }
});
