/** The moving extensions together must not take objects in circles: each checks only its own section. */
import { type BackbeatConfig } from '../../framework/config/backbeat-config.js';
import { sortByTypeReaches, sortByTypeSchema } from '../sortByType/config.js';
import { sortMusicReaches, sortMusicSchema } from '../sortMusic/config.js';

/** @throws Error when both run, and one moves to where the other takes from, and back. */
export function refuseCircle({ extensions }: Pick<BackbeatConfig, 'extensions'>): void {
  const byType = sortByTypeSchema.safeParse(extensions.sortByType);
  const music = sortMusicSchema.safeParse(extensions.sortMusic);
  // One that is wrong is refused by its own validator.
  if (!byType.success || !music.success) return;
  if (byType.data.enabled === false || music.data.enabled === false) return;
  const there = music.data.buckets.find(bucket => sortByTypeReaches(byType.data, bucket));
  const back = byType.data.buckets.find(bucket => sortMusicReaches(music.data, bucket));
  if (there === undefined || back === undefined) return;
  throw new Error(
    `buckets: sortByType moves objects from ${back} to ${there}, and sortMusic from ${there} to ${back}: they would go in circles`,
  );
}
