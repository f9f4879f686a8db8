/** The arguments of `awaitRecords`, checked at the door. */
import { RPC_LIMITS } from '@zenko-modules/rpc/limits';
import { z } from 'zod';
import { check, optionalMember, options, wholeNumber } from './arguments.js';

/** A call must be answered before the server gives it up. */
const MAX_WAIT_MS = RPC_LIMITS.callMs - 2000;

const recordWait = options({
  startSeq: wholeNumber(0),
  timeoutMs: optionalMember(wholeNumber(0)).transform(ms => Math.min(ms ?? MAX_WAIT_MS, MAX_WAIT_MS)),
});

/** @throws CatalogueError InvalidArgument that names the argument and what is accepted. */
export const checkRecordWait = (value: unknown): z.infer<typeof recordWait> =>
  check('options', recordWait, value);
