/**
 * A processor in Backbeat's form: a class that gets the sections of the configuration and the account to sign
 * with, and makes its own `BackbeatConsumer` in `start()`.
 */
import { withDeadline } from '@zenko-modules/common/deadline';
import { messageOf } from '@zenko-modules/common/errors';
import { StartError } from '@zenko-modules/common/start-error';
import { type BackbeatHost, runIn } from '../backbeat/host.js';

const START_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 2000;

type Done = (err?: unknown) => void;

export interface BackbeatProcessor {
  /** Gets a callback, which it need not call. May return a promise. */
  start(done: Done): unknown;
  stop?(done: Done): unknown;
}

/** `serviceAuth` is `{ type, account }`, `s3Config` `{ host, port, transport }`. */
export type BackbeatProcessorClass = new (
  kafkaConfig: unknown,
  extConfig: unknown,
  serviceAuth: unknown,
  s3Config: unknown,
) => BackbeatProcessor;

export function isBackbeatProcessor(Processor: unknown): Processor is BackbeatProcessorClass {
  if (typeof Processor !== 'function') return false;
  const prototype: unknown = Processor.prototype;
  if (typeof prototype !== 'object' || prototype === null) return false;
  return 'start' in prototype && typeof prototype.start === 'function' && !('processEntry' in prototype);
}

/** Resolves when `start` has returned, or its promise is settled. @throws StartError with what it throws. */
export async function startBackbeatProcessor(
  name: string,
  Processor: BackbeatProcessorClass,
  parameters: ConstructorParameters<BackbeatProcessorClass>,
  host: BackbeatHost,
  onFailure: (err: unknown) => void,
): Promise<BackbeatProcessor> {
  try {
    return await runIn(host, async () => {
      const processor = new Processor(...parameters);
      const started = processor.start(err => {
        if (err !== undefined && err !== null) onFailure(err);
      });
      await withDeadline(Promise.resolve(started), START_WITHIN_MS, `start() of ${name}`);
      return processor;
    });
  } catch (err) {
    throw new StartError(`extension "${name}": its processor does not start: ${messageOf(err)}`, {
      cause: err,
    });
  }
}

/** Calls `stop`, if there is one, and waits a little for its promise or its callback. Its consumers are closed before. */
export async function stopBackbeatProcessor(processor: BackbeatProcessor): Promise<void> {
  if (!processor.stop) return;
  const stopped = new Promise<void>((resolve, reject) => {
    const done: Done = err => {
      if (err === undefined || err === null) resolve();
      else reject(err instanceof Error ? err : new Error(messageOf(err)));
    };
    const returned = processor.stop?.(done);
    if (returned instanceof Promise || processor.stop?.length === 0)
      Promise.resolve(returned).then(() => done(), done);
  });
  await withDeadline(stopped, STOP_WITHIN_MS, 'stop() of the processor');
}
