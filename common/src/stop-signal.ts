/** What tells a process to stop: a signal, or the end of the process that runs it. */

/** How often a process that npm runs looks whether its parent is still there. */
const PARENT_CHECK_MS = 500;

/**
 * Resolves with the name of the first thing that tells this process to stop: SIGTERM, SIGINT, SIGHUP, the
 * end of the parent that forked it, or of the shell by which npm runs it.
 */
export function stopSignal(): Promise<string> {
  return new Promise(resolve => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
    process.on('disconnect', () => resolve('the parent process went away'));
    if (process.env.npm_lifecycle_event !== undefined) watchParent(() => resolve('npm went away'));
  });
}

/** npm hands SIGTERM to its shell, which ends and tells nobody. */
function watchParent(onGone: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onGone();
  }, PARENT_CHECK_MS);
  timer.unref();
}
