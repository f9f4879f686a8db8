/**
 * The one catalogue of errors that leave a module, over HTTP or RPC.
 *
 * CloudServer looks an error up by its name in a catalogue of its own, so only names that it knows may
 * stand here. Programs test `type`, people read `message`, and the cause is kept for the log.
 */
export interface CatalogueEntry {
  /** HTTP status, and `code` on the RPC wire. */
  readonly code: number;
  readonly description: string;
  /** Whether the same call may succeed when it is made again, unchanged. */
  readonly retriable: boolean;
}

const entry = (code: number, description: string, retriable = false): CatalogueEntry => ({
  code,
  description,
  retriable,
});

export const ERRORS = {
  EntityTooLarge: entry(400, 'The object is larger than this store accepts: upload it in smaller parts'),
  IncompleteBody: entry(400, 'The body ended before the announced number of bytes: send it once more'),
  InternalError: entry(
    500,
    "The module met an error that it did not expect: the line of the request's id in its log has the cause",
  ),
  InvalidAction: entry(400, 'There is no service of this name: the message lists those that there are'),
  InvalidArgument: entry(
    400,
    'An argument is missing or not valid: the message names it and what is accepted',
  ),
  InvalidInput: entry(400, 'The request is not valid: the message says in what'),
  InvalidRange: entry(416, 'The range starts past the end of the blob: ask for one within its size'),
  InvalidURI: entry(400, 'The path cannot be parsed: the message says what is expected'),
  MethodNotAllowed: entry(405, 'The method is not allowed here: blobs take PUT, GET, HEAD and DELETE'),
  MissingContentLength: entry(411, 'The request must announce its Content-Length'),
  MissingParameter: entry(400, 'A required parameter is missing: the message names it'),
  NotImplemented: entry(501, 'This is not offered, by this store or to clients: do without it'),
  ObjNotFound: entry(404, 'This object does not exist'),
  PreconditionFailed: entry(
    412,
    'What the call names as its condition is not so (any more), and nothing was changed: read it again',
  ),
  ServiceUnavailable: entry(
    503,
    'The backend cannot be reached at the moment: try again; /_/ready says why while it lasts',
    true,
  ),
  SlowDown: entry(503, 'Too many requests at the moment: try again after a pause, with fewer at once', true),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorType = keyof typeof ERRORS;

/** An error of the catalogue. `message` says what is wrong in this case, `description` in general. */
export class CatalogueError extends Error {
  readonly type: ErrorType;

  constructor(type: ErrorType, message?: string, options?: { cause?: unknown }) {
    super(message ?? ERRORS[type].description, options);
    this.name = type;
    this.type = type;
  }

  get code(): number {
    return ERRORS[this.type].code;
  }

  get description(): string {
    return ERRORS[this.type].description;
  }

  get retriable(): boolean {
    return ERRORS[this.type].retriable;
  }
}

/** The error itself when it is one of the catalogue, else an `InternalError` with it as the cause. */
export function toCatalogueError(err: unknown): CatalogueError {
  if (err instanceof CatalogueError) return err;
  return new CatalogueError('InternalError', undefined, { cause: err });
}

/** True when `err` is of the catalogue and has one of these types. */
export function isErrorType(err: unknown, ...types: ErrorType[]): err is CatalogueError {
  return err instanceof CatalogueError && types.includes(err.type);
}

/** The text of anything that was thrown. */
export function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err);
}
