/** The proxy of MongoDB's wire protocol, and what it meets of mongodown. */
import type { WireCommand } from '@zenko-modules/common/testing/mongodb-wire-proxy';

export * from '@zenko-modules/common/testing/mongodb-wire-proxy';

/** A batch on its way into the journal, or a part of one. */
export function isJournalWrite({ name, target, body }: WireCommand): boolean {
  if (name !== 'update' || !target.endsWith('.journal')) return false;
  const [update] = body.updates as { readonly u: { readonly $set?: { readonly ops?: Buffer } } }[];
  return (update?.u.$set?.ops?.length ?? 0) > 0;
}
