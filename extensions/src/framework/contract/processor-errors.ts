/** Errors by which an extension tells what to do with a message, or with an entry of the log. */

/** Trying again cannot help: the message, or the entry, is parked at once. */
export class PermanentError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'PermanentError';
  }
}

/** By its name: an extension may have a class of another copy of this package. */
export function isPermanent(err: unknown): boolean {
  return err instanceof Error && err.name === 'PermanentError';
}
