/** What is known of a blob besides its bytes. */
import { CatalogueError } from '@zenko-modules/common/errors';

export interface Manifest {
  /** Of the blob, in bytes. */
  readonly size: number;
  /** Of every chunk but the last, in bytes: blobs keep theirs when the setting changes. */
  readonly chunkSize: number;
}

export function chunkCount({ size, chunkSize }: Manifest): number {
  return Math.ceil(size / chunkSize);
}

/** Bytes of chunk `index`. */
export function chunkLength({ size, chunkSize }: Manifest, index: number): number {
  return Math.min(chunkSize, size - index * chunkSize);
}

/** May never change while there are filled servers; another form gets another version. */
const VERSION = 1;

export function writeManifest({ size, chunkSize }: Manifest): Buffer {
  return Buffer.from(JSON.stringify({ version: VERSION, size, chunkSize }));
}

/** @throws CatalogueError `InternalError` when it is none that this module writes. */
export function readManifest(blob: string, bytes: Buffer): Manifest {
  try {
    const { version, size, chunkSize } = JSON.parse(bytes.toString()) as Record<string, unknown>;
    const isCount = (value: unknown, least: number): value is number =>
      Number.isSafeInteger(value) && Number(value) >= least;
    if (version === VERSION && isCount(size, 0) && isCount(chunkSize, 1)) return { size, chunkSize };
    throw new Error(`version ${String(version)} is not known`);
  } catch (err) {
    throw new CatalogueError('InternalError', `the manifest of blob ${blob} cannot be read`, { cause: err });
  }
}
