/** What the members of a group do alike on every transport: hand messages out, pause, end. */
import type { Logger } from '@zenko-modules/common/logger';
import type { Gate } from './gate.js';
import type { Consumer, ConsumeOptions, ReceivedMessage } from './queue.js';

export interface HandingOut extends Pick<ConsumeOptions, 'handle'> {
  readonly gate: Gate;
  /** Once aborted, nothing more is handed out. */
  readonly signal: AbortSignal;
  /** Aborted when a message was not handled: it and what follows it come again. */
  readonly refused: AbortController;
  readonly log: Logger;
}

/** Hands a message to its handler, once nothing is paused, and calls `done` when it is handled. Never rejects. */
export async function handOut(
  message: ReceivedMessage,
  done: () => void,
  { gate, handle, signal, refused, log }: HandingOut,
): Promise<void> {
  // What was read ahead waits, too.
  await gate.passed(signal);
  if (signal.aborted) return;
  try {
    await handle(message, signal);
    done();
  } catch (err) {
    if (isAborted(signal)) return;
    log.warn({ err, key: message.key }, 'a message comes again: not handled');
    refused.abort();
  }
}

/** A function, as the compiler takes the signal for what it was before the wait. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** A member as its queue gives it to who consumes; one that is closed is not among `members` any more. */
export function consumerOf<Member extends { close(): Promise<void> }>(
  member: Member,
  members: Set<Member>,
  gate: Gate,
): Consumer {
  members.add(member);
  return {
    pause: () => gate.close(),
    resume: () => gate.open(),
    close: async () => {
      await member.close();
      members.delete(member);
    },
  };
}
