/**
 * GridFS's two collections, as the drivers' own buckets and tools read them; in each chunk and in the metadata of the file
 * a checksum more. May never change while there are filled buckets.
 */
import { crc32c } from '@node-rs/crc32';
import { CatalogueError } from '@zenko-modules/common/errors';
import type { ObjectId } from 'mongodb';

/** Its being there makes the blob. */
export interface FileDocument {
  /** The blob's key. */
  readonly _id: string;
  readonly filename: string;
  /** Of the blob, in bytes. */
  readonly length: number;
  /** Of every chunk but the last, in bytes. */
  readonly chunkSize: number;
  readonly uploadDate: Date;
  /** CRC-32C of the whole blob. */
  readonly metadata: { readonly crc32c: number };
}

export interface ChunkDocument {
  /** Tells when it was made. */
  readonly _id: ObjectId;
  readonly files_id: string;
  /** From 0 on. */
  readonly n: number;
  readonly data: Buffer;
  /** CRC-32C of `data`. */
  readonly crc32c: number;
}

/** Of a key that a blob may have. Files of other tools in the same bucket have others. */
export const BLOB_KEY = /^[0-9a-f]{1,128}$/;

export function chunkCount({ length, chunkSize }: FileDocument): number {
  return Math.ceil(length / chunkSize);
}

/** @throws CatalogueError `InternalError` when it is none that this module writes. */
export function checkFile(file: FileDocument): FileDocument {
  const { length, chunkSize } = file;
  const metadata = file.metadata as FileDocument['metadata'] | undefined;
  const isCount = (value: unknown, least: number): boolean =>
    Number.isSafeInteger(value) && Number(value) >= least;
  if (isCount(length, 0) && isCount(chunkSize, 1) && isCount(metadata?.crc32c, 0)) return file;
  throw new CatalogueError('InternalError', `the files document of blob ${file._id} cannot be read`);
}

/** @throws CatalogueError `InternalError` that names the chunk when its bytes are not those that were stored. */
export function checkChunk(file: FileDocument, n: number, { data, crc32c: checksum }: ChunkDocument): Buffer {
  const expected = Math.min(file.chunkSize, file.length - n * file.chunkSize);
  if (Buffer.isBuffer(data) && data.length === expected && crc32c(data) === checksum) return data;
  throw new CatalogueError('InternalError', `${nameOfChunk(file, n)} is damaged`);
}

export function nameOfChunk(file: FileDocument, n: number): string {
  return `chunk ${n} of ${chunkCount(file)} of blob ${file._id}`;
}
