/** The messages that a processor works on at the moment: since when, and what keeps them from getting done. */
import type { ReceivedMessage } from '../queue/queue.js';

/** Why a message waits. */
export interface Trouble {
  readonly reason: string;
  /** Another message that gets done shows that it is over. */
  readonly ofS3: boolean;
}

export class MessagesUnderWay {
  readonly #since = new Map<ReceivedMessage, number>();
  readonly #troubles = new Map<ReceivedMessage, Trouble>();

  add(message: ReceivedMessage): void {
    this.#since.set(message, Date.now());
  }

  remove(message: ReceivedMessage): void {
    this.#since.delete(message);
    this.#troubles.delete(message);
  }

  setTrouble(message: ReceivedMessage, trouble: Trouble | undefined): void {
    if (trouble) this.#troubles.set(message, trouble);
    else this.#troubles.delete(message);
  }

  /** To be called when a message got done. */
  s3Works(): void {
    for (const [message, { ofS3 }] of this.#troubles) if (ofS3) this.#troubles.delete(message);
  }

  /** The oldest trouble there is. */
  get trouble(): string | undefined {
    for (const { reason } of this.#troubles.values()) return reason;
    return undefined;
  }

  /** Age of the oldest message, in seconds; 0 when there is none. */
  get oldestSeconds(): number {
    for (const since of this.#since.values()) return (Date.now() - since) / 1000;
    return 0;
  }

  /** Each message, oldest first, as a log line shows it. */
  list(): { key: string; partition: number; offset: string; seconds: number }[] {
    return [...this.#since].map(([{ key, partition, offset }, since]) => ({
      key,
      partition,
      offset,
      seconds: Math.round((Date.now() - since) / 1000),
    }));
  }
}
