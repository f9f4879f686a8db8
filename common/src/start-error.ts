/** A start that cannot succeed for a reason that the person who starts can mend. Its message is one clear line. */
export class StartError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StartError';
  }
}
