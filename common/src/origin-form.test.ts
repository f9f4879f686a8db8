import assert from 'node:assert/strict';
import test from 'node:test';
import { originForm } from './origin-form.js';

test('a path is taken as it is', () => {
  for (const url of ['/', '//', '/a?b', '/%', '/http://host/', '/a#b']) {
    assert.deepEqual(originForm(url), { url, authority: undefined });
  }
});

test('a whole URL is its path and query, and the host that it names', () => {
  assert.deepEqual(originForm('http://host/a/b?c'), { url: '/a/b?c', authority: 'host' });
  assert.deepEqual(originForm('HTTPS://[::1]:9991/'), { url: '/', authority: '[::1]:9991' });
  assert.deepEqual(originForm('http://host:80'), { url: '/', authority: 'host:80' });
  assert.deepEqual(originForm('http://host?a'), { url: '/?a', authority: 'host' });
  assert.deepEqual(originForm('http://host//a'), { url: '//a', authority: 'host' });
});

test('what is neither is none', () => {
  for (const target of [
    '',
    '*',
    'host:80',
    'http://',
    'http:///a',
    'ftp://host/',
    'http://u@host/',
    'a/b',
    'http://host/a#b',
  ]) {
    assert.equal(originForm(target), undefined, target);
  }
});
