import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { sleep } from '@zenko-modules/common/deadline';

const WAIT_MS = 20_000;

/** The keys of all complete blobs that a data module keeps anywhere below `folder`: `<number>/<key>`. */
export async function storedBlobs(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true });
  return files.flatMap(file => /(?:^|\/)\d+\/([0-9a-f]{40})$/.exec(file)?.[1] ?? []);
}

/** Waits until there are these blobs, or so many, and no others: what was replaced goes a moment after it was. */
export async function assertBlobs(
  folder: string,
  expected: Iterable<string> | number,
  what?: string,
): Promise<void> {
  const keys = typeof expected === 'number' ? undefined : new Set(expected);
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const found = new Set(await storedBlobs(folder));
    if (keys === undefined ? found.size === expected : isDeepStrictEqual(found, keys)) return;
    if (Date.now() > deadline) assert.deepEqual(keys ? found : found.size, keys ?? expected, what);
    await sleep(5);
  }
}

/** Waits until a data module that keeps blobs below `folder` is receiving one, of some hundred kilobytes at least. */
export async function uploadHasBegun(folder: string): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await readdir(folder, { recursive: true })).some(file => file.includes('/.uploads/'))) {
    assert.ok(Date.now() < deadline, 'no upload has begun in time');
    await sleep(20);
  }
}
