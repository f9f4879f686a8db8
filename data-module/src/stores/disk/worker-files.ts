import type { WorkerPlace } from '../plugin.js';

/** Whether a file called `<worker>.<anything>` is this worker's. The first has also those of workers that are no more. */
export function belongsTo(name: string, { index, count }: WorkerPlace): boolean {
  const owner = Number(/^(\d+)\./.exec(name)?.[1] ?? NaN);
  return owner === index || (index === 0 && !(owner < count));
}
