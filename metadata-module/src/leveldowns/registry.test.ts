import assert from 'node:assert/strict';
import test from 'node:test';
import { StartError } from '@zenko-modules/common/start-error';
import { leveldownPlugin } from './leveldown.js';
import { LEVELDOWNS, loadLevelDown } from './registry.js';

test('every LevelDOWN in the list has the name that selects it, and the settings of its plug-in', async () => {
  for (const { name, settings } of LEVELDOWNS) {
    const plugin = await loadLevelDown(name);
    assert.deepEqual([plugin.name, plugin.settings], [name, settings]);
  }
});

test('a name that is registered twice stops the start', async () => {
  const entry = { name: 'leveldown', settings: {}, load: () => Promise.resolve(leveldownPlugin) };
  await assert.rejects(loadLevelDown('leveldown', [entry, entry]), (err: unknown) => {
    assert.ok(err instanceof StartError);
    assert.match(err.message, /leveldown is registered twice/);
    return true;
  });
});

test('a package is looked for from the working directory', async () => {
  const { name, settings } = await loadLevelDown('memdown');
  assert.deepEqual({ name, settings }, { name: 'memdown', settings: {} });
});

test('a package that is no store is refused', async () => {
  await assert.rejects(loadLevelDown('zod/package.json'), StartError);
});
