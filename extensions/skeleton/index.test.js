// Loads the extension as the populator does. Run it with: node --test
import assert from 'node:assert/strict';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { testExtension } from '@zenko-modules/extensions/testing/test-extension';

const file = fileURLToPath(new URL('index.js', import.meta.url));
const put = (key, value = {}) => ({
  type: 'put',
  bucket: 'photos',
  key,
  value: JSON.stringify({ key, ...value }),
});

test('an object that concerns the extension is published under its key', async () => {
  const { filter } = await testExtension(file, {});
  const [message, ...others] = await filter(put('a.txt'));
  assert.deepEqual(others, []);
  assert.equal(message.topic, 'my-extension');
  assert.equal(message.key, encodeURIComponent('photos/a.txt'));
  assert.equal(JSON.parse(message.value).key, 'a.txt');
});

test('other objects, and what the processor did, are not published', async () => {
  const { filter } = await testExtension(file, {});
  assert.deepEqual(await filter(put('a.jpg')), []);
  assert.deepEqual(await filter(put('a.txt', { tags: { 'my-extension': 'seen' } })), []);
  assert.deepEqual(await filter({ type: 'del', bucket: 'photos', key: 'a.txt' }), []);
});

test('a wrong field is refused by name', async () => {
  await assert.rejects(testExtension(file, { topic: 5 }), /topic/);
});
