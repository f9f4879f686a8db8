/**
 * How far the populator has read the record log: `<DATA_DIR>/extensions/populator/offset.json`. It is saved
 * in place, after the messages of what was read are on stable storage.
 */
import path from 'node:path';
import { StartError } from '@zenko-modules/common/start-error';
import { z } from 'zod';
import { readSlotFile, writeSlotFile } from '../files/slot-file.js';

const cursorSchema = z.object({
  nextSeq: z.int().min(1),
  lastRecord: z.string().optional(),
});

export interface Cursor {
  /** Sequence number of the next record. */
  readonly nextSeq: number;
  /** What the record before it looked like, to notice a log that was replaced. */
  readonly lastRecord?: string | undefined;
}

export const LOG_START: Cursor = { nextSeq: 1 };

function fileIn(folder: string): string {
  return path.join(folder, 'offset.json');
}

/** @throws StartError when the file is damaged. */
export async function loadCursor(folder: string): Promise<Cursor> {
  try {
    const content = await readSlotFile(fileIn(folder));
    return content === undefined ? LOG_START : cursorSchema.parse(content);
  } catch (err) {
    throw new StartError(
      `${fileIn(folder)} is damaged: write {"nextSeq":<number>} into it, or remove it to read the log from its beginning`,
      { cause: err },
    );
  }
}

/** On stable storage when it resolves. */
export async function saveCursor(folder: string, cursor: Cursor): Promise<void> {
  await writeSlotFile(fileIn(folder), { ...cursor, savedAt: new Date().toISOString() });
}
