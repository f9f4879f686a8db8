import assert from 'node:assert/strict';
import test from 'node:test';
import { readSettings } from '@zenko-modules/common/settings';
import { BUNDLED } from './index.js';
import { CONFIG_SETTINGS, QUEUE_SETTINGS } from '../framework/extension-settings.js';
import { loadExtensions } from '../framework/loader/load-extensions.js';

const load = async (extensions: object): Promise<string[]> => {
  const env = { BACKBEAT_CONFIG: JSON.stringify({ extensions }) };
  const loaded = await loadExtensions(
    readSettings({ ...CONFIG_SETTINGS, ...QUEUE_SETTINGS }, env),
    env,
    BUNDLED,
  );
  return [...loaded.active.keys()];
};
const sortByType = { buckets: ['incoming'], targets: { audio: 'tunes', zip: 'zips' } };

test('two extensions that would take objects in circles are refused', async () => {
  for (const bucket of ['incoming', 'inc{artist}']) {
    const sortMusic = { buckets: ['tunes'], bucket };
    await assert.rejects(load({ sortByType, sortMusic }), {
      name: 'StartError',
      message:
        /buckets: sortByType moves objects from incoming to tunes, and sortMusic from tunes to incoming/,
    });
    await load({ sortByType, sortMusic: { ...sortMusic, enabled: false } });
  }
});

test('one after the other is allowed', async () => {
  const sortMusic = { buckets: ['tunes'], bucket: 'music' };
  assert.deepEqual(await load({ sortByType, sortMusic }), ['sortByType', 'sortMusic']);
});

test('a field that is misspelt in the environment is refused by name', async () => {
  const env = {
    BACKBEAT_CONFIG: JSON.stringify({ extensions: { sortByType } }),
    EXTENSIONS_SORTBYTYPE_TAGRETS: '{}',
  };
  await assert.rejects(
    loadExtensions(readSettings({ ...CONFIG_SETTINGS, ...QUEUE_SETTINGS }, env), env, BUNDLED),
    /extensions\.sortByType: .*"tagrets"/,
  );
});
