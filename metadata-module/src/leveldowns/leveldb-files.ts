/** Names of the files of a LevelDB. */
import { readdir, readFile } from 'node:fs/promises';

export const isLog = (name: string): boolean => /^\d+\.log$/.test(name);
export const isTable = (name: string): boolean => /^\d+\.(ldb|sst)$/.test(name);

export const logName = (number: number): string => `${digits(number)}.log`;

/** The names that a table may have: databases of older versions have the other ending. */
export function tableNames(number: number): readonly [string, string] {
  return [`${digits(number)}.ldb`, `${digits(number)}.sst`];
}

const digits = (number: number): string => String(number).padStart(6, '0');

/** The names in `folder`, in their order; none when it is not there. */
export async function filesOf(folder: string): Promise<readonly string[]> {
  return (await unlessMissing(readdir(folder)))?.sort() ?? [];
}

/** `undefined` when there is no such file. */
export function contentOf(file: string): Promise<Buffer | undefined> {
  return unlessMissing(readFile(file));
}

async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw err;
  }
}
