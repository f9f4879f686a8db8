import { readdir } from 'node:fs/promises';

/** The keys of all complete blobs that a data module keeps anywhere below `folder`: `<number>/<key>`. */
export async function storedBlobs(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true });
  return files.flatMap(file => /(?:^|\/)\d+\/([0-9a-f]{40})$/.exec(file)?.[1] ?? []);
}
