import assert from 'node:assert/strict';
import { sleep } from '@zenko-modules/common/deadline';

/** How long a test waits for what must come. */
export const WAIT_MS = 60_000;

/** Polls until `check` holds. */
export async function eventually(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await check())) {
    assert.ok(Date.now() < deadline, `waited in vain until ${what}`);
    await sleep(20);
  }
}
