import { readdir } from 'node:fs/promises';

/** The keys of all blobs that a data module keeps anywhere below `folder`. */
export async function storedBlobs(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true });
  return files.map(file => file.split('/').at(-1) ?? '').filter(name => /^[0-9a-f]{40}$/.test(name));
}
