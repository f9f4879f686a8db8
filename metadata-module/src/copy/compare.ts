/** Whether two stores hold the same, entry by entry. */
import { StartError } from '@zenko-modules/common/start-error';
import type { ByteEntry } from '../leveldowns/level-calls.js';
import { Digest, type Totals } from './digest.js';

/** Reads both to the end. @throws StartError that names the first key that differs. */
export async function compare(
  source: AsyncIterator<ByteEntry>,
  target: AsyncIterator<ByteEntry>,
  onEntry: () => void,
): Promise<{ readonly source: Totals; readonly target: Totals }> {
  const digests = [new Digest(), new Digest()] as const;
  for (;;) {
    const [one, other] = await Promise.all([source.next(), target.next()]);
    const difference = differ(one, other);
    if (difference !== undefined) {
      throw new StartError(
        `the target does not hold what the source does: ${difference}. It was changed, or the source was, since the ` +
          'copy began: remove the target and copy again',
      );
    }
    if (one.done === true || other.done === true) break;
    digests[0].add(one.value);
    digests[1].add(other.value);
    onEntry();
  }
  return { source: digests[0].totals(), target: digests[1].totals() };
}

type Step = IteratorResult<ByteEntry, unknown>;

function differ(one: Step, other: Step): string | undefined {
  if (one.done === true)
    return other.done === true ? undefined : `key ${name(other.value)} is in the target only`;
  if (other.done === true) return `key ${name(one.value)} is missing in the target`;
  const order = Buffer.compare(one.value.key, other.value.key);
  if (order < 0) return `key ${name(one.value)} is missing in the target`;
  if (order > 0) return `key ${name(other.value)} is in the target only`;
  return one.value.value.equals(other.value.value)
    ? undefined
    : `the value of key ${name(one.value)} differs`;
}

function name({ key }: ByteEntry): string {
  return JSON.stringify(key.toString());
}
