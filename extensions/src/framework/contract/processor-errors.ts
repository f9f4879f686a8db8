/** Errors by which an extension tells the processor runner what to do with a message. */

/** Trying again cannot help: the message is parked at once. */
export class PermanentError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'PermanentError';
  }
}
