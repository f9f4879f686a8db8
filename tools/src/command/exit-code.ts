/** How a verb ends, for scripts. */
export const EXIT = {
  /** It did its work and found nothing wrong. */
  sound: 0,
  /** It did its work, and something is not as it should be. */
  found: 1,
  /** It could not do its work, or was interrupted: nothing can be said. */
  failed: 2,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Why a verb could not do its work. Its message is one clear line. */
export class ToolError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'ToolError';
  }
}
