/** What the store and the thread that writes for it say to each other. */

/** What the thread is started with. */
export interface ThreadStart {
  readonly volume: string;
  /** Of the paths of files that are not blobs yet. */
  readonly uploadPrefix: string;
}

/** Records for the journal file of this path, or, without any, that no more come for the last one. */
export type ToThread =
  | { readonly id: number; readonly path: string; readonly records: Uint8Array<ArrayBuffer> }
  | { readonly id: number; readonly records?: undefined };

export interface CallFailure {
  readonly code: string | undefined;
  readonly message: string;
}

/** Answers come in the order of what was asked. */
export interface FromThread {
  readonly id: number;
  /** The file descriptor of the journal's file, when it was begun. The store is to close it. */
  opened?: number | undefined;
  /** Why nothing of it has been written to the journal. */
  failure?: CallFailure;
  /** What is in the journal, but not in its place: numbers of records in the batch. */
  failures?: [number, CallFailure][];
}
