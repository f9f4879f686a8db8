import { readdir, readlink } from 'node:fs/promises';

/** The files under `folder` that this process has open (Linux). */
export async function openFilesUnder(folder: string): Promise<string[]> {
  const names = await readdir('/proc/self/fd');
  const links = await Promise.allSettled(names.map(name => readlink(`/proc/self/fd/${name}`)));
  return links.flatMap(link =>
    link.status === 'fulfilled' && link.value.startsWith(folder) ? [link.value] : [],
  );
}
