/** What the store and the thread that makes its files say to each other. */

/** What the thread is started with. */
export interface ThreadStart {
  readonly volume: string;
  /** Of the paths of files that are not blobs yet. */
  readonly uploadPrefix: string;
}

export interface ToThread {
  readonly id: number;
  readonly records: Uint8Array<ArrayBuffer>;
}

export interface CallFailure {
  readonly code: string | undefined;
  readonly message: string;
}

/** Answers come in the order of what was asked. */
export interface FromThread {
  readonly id: number;
  /** What could not be done: numbers of records. */
  readonly failures: readonly (readonly [number, CallFailure])[];
}
