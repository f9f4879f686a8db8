import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { sleep } from '@zenko-modules/common/deadline';

const WAIT_MS = 20_000;

/** The keys of all complete blobs that a data module keeps anywhere below `folder`: `<number>/<key>`. */
export async function storedBlobs(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true });
  return files.flatMap(file => /(?:^|\/)\d+\/([0-9a-f]{40})$/.exec(file)?.[1] ?? []);
}

/** Waits until a data module that keeps blobs below `folder` is receiving one, of some hundred kilobytes at least. */
export async function uploadHasBegun(folder: string): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await readdir(folder, { recursive: true })).some(file => file.includes('/.uploads/'))) {
    assert.ok(Date.now() < deadline, 'no upload has begun in time');
    await sleep(20);
  }
}
