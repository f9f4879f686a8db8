import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { Registry } from 'prom-client';
import { temporaryFolder } from './testing/temporary-folder.js';
import { createVolumeMetrics } from './volume-metrics.js';

test('size and room of the file system are told, and nothing when it cannot be asked', async t => {
  const folder = path.join(await temporaryFolder(t));
  const registry = new Registry();
  createVolumeMetrics(registry, folder);
  const read = async (name: string): Promise<number | undefined> =>
    (await registry.getSingleMetric(name)?.get())?.values[0]?.value;
  const size = await read('volume_size_bytes');
  const free = await read('volume_free_bytes');
  assert.ok(size !== undefined && free !== undefined && size >= free && size > 0);
  await rm(folder, { recursive: true });
  assert.equal(await read('volume_size_bytes'), undefined);
  assert.equal(await read('volume_free_bytes'), undefined);
});
