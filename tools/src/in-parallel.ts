/** Works through items with several at once. Rejects with the first failure, when all that was under way has ended. */
export async function inParallel<T>(
  items: AsyncIterable<T> | Iterable<T>,
  concurrency: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failed = false;
  let failure: unknown;
  try {
    for await (const item of items) {
      const task = work(item)
        .catch((err: unknown) => {
          failure = failed ? failure : err;
          failed = true;
        })
        .finally(() => running.delete(task));
      running.add(task);
      if (running.size >= concurrency) await Promise.race(running);
      if (hasFailed()) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (hasFailed()) throw failure;

  // A function, as the compiler takes a variable for what it was set to last in sight.
  function hasFailed(): boolean {
    return failed;
  }
}
