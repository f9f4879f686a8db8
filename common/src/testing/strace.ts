/** For tests that look at the calls a process makes to the system. */
import { spawnSync } from 'node:child_process';
import { findInPath, skipReason } from './test-server.js';

const isThere = findInPath('strace') !== undefined;
const isAllowed = isThere && spawnSync('strace', ['-f', '-e', 'trace=none', 'true']).status === 0;

/** For node:test's `skip`. A system that lets nobody look is no fault of who runs the tests. */
export const straceMissing =
  isThere && !isAllowed
    ? 'needs a system that lets strace follow a process'
    : skipReason(isThere, 'needs strace');
