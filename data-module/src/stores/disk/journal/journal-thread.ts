/**
 * A thread that writes for the disk store: a batch of small blobs and deletions to the journal, with one synced write, and then
 * each to where it belongs. Calls in a row, without a trip to another thread after each, take a tenth of the processor
 * time; in a thread of their own they hold up no request, however long the disk takes.
 */
import fs, { constants } from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { SYNCED_BY_WRITE } from '@zenko-modules/common/synced-write';
import { blobFile } from '../disk-layout.js';
import { NEW_FILE } from '../file-calls.js';
import { decodeHead, RECORD_HEAD_BYTES, recordBytes } from '../../record-format.js';
import type { CallFailure, FromThread, ThreadStart, ToThread } from './thread-messages.js';
import { writeAllNow, writeBlobNow } from './write-blob.js';

const { volume, uploadPrefix } = workerData as ThreadStart;

let journal: { readonly path: string; readonly fd: number } | undefined;

parentPort?.on('message', (message: ToThread) => {
  const answer: FromThread = { id: message.id };
  try {
    if (message.records === undefined) journal = undefined;
    else {
      answer.opened = begin(message.path);
      append(message.path, message.records);
      answer.failures = apply(message.records);
    }
  } catch (err) {
    answer.failure = failureOf(err);
  }
  parentPort?.postMessage(answer);
});

/** @returns the number of the file when it was opened now. The store closes it. */
function begin(file: string): number | undefined {
  if (journal?.path === file) return undefined;
  const fd = fs.openSync(file, NEW_FILE | constants.O_APPEND | SYNCED_BY_WRITE);
  journal = { path: file, fd };
  return fd;
}

/** On stable storage, under this name, when it returns. */
function append(file: string, records: Uint8Array): void {
  if (journal === undefined) throw new Error('no journal');
  const { fd } = journal;
  const before = fs.fstatSync(fd).size;
  if (before === 0) syncFolder(path.dirname(file));
  try {
    writeAllNow(fd, records);
  } catch (err) {
    fs.ftruncateSync(fd, before);
    throw err;
  }
  // Whoever takes the volume over renames the file before it reads it. Then this is not in what was read.
  fs.accessSync(file);
}

/** @returns what could not be done, by the number of the record in the batch */
function apply(records: Uint8Array): [number, CallFailure][] {
  const failures: [number, CallFailure][] = [];
  const bytes = Buffer.from(records.buffer, records.byteOffset, records.byteLength);
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const head = decodeHead(bytes, at);
    if (head === undefined) throw new Error('no record');
    const key = head.key.toString('hex');
    const begin = at + RECORD_HEAD_BYTES;
    try {
      if (head.kind === 'blob')
        writeBlobNow(volume, uploadPrefix + key, key, bytes.subarray(begin, begin + head.length));
      else fs.unlinkSync(blobFile(volume, key));
    } catch (err) {
      failures.push([index, failureOf(err)]);
    }
    at += recordBytes(head.length);
  }
  return failures;
}

function syncFolder(folder: string): void {
  const fd = fs.openSync(folder, constants.O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function failureOf(err: unknown): CallFailure {
  const { code, message } = err as NodeJS.ErrnoException;
  return { code, message };
}
