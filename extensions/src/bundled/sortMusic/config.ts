import { z } from 'zod';
import { topicName, validateSection } from '../../framework/config/section.js';
import { bucketName, moveSection } from '../move/move-config.js';

export const ARTIST = '{artist}';

export const sortMusicSchema = moveSection
  .extend({
    topic: topicName.default('backbeat-sort-music'),
    /** Only objects under this prefix are taken, and it is taken off their key. */
    fromPrefix: z.string().default(''),
    /** Where they go; `{artist}` in it stands for the artist in letters that a bucket's name may have. */
    bucket: z.string(),
    /** What is put before the rest of the key; `{artist}` in it stands for the artist. */
    prefix: z.string().default(`${ARTIST}/`),
    /** Instead of the artist, when a file names none; without it such a file stays where it is. */
    unknownArtist: z.string().min(1).optional(),
    /** More than this is never read of a file to find its tags. */
    maxReadBytes: z
      .int()
      .min(65_536)
      .max(1024 ** 3)
      .default(16 * 1024 * 1024),
  })
  .strict()
  .superRefine(({ buckets, bucket, prefix, fromPrefix }, context) => {
    const issue = (path: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [path], message });
    if (!bucketName.safeParse(bucket.replaceAll(ARTIST, 'artist')).success) {
      issue('bucket', `expected the name of a bucket, in which ${ARTIST} may stand`);
    }
    if (!bucket.includes(ARTIST) && !prefix.includes(ARTIST)) {
      issue('prefix', `expected ${ARTIST} here or in bucket`);
    }
    // What was moved must never be found to be moved again.
    if (fromPrefix === '' && buckets.some(source => sortMusicReaches({ bucket }, source))) {
      issue('bucket', 'may only be one of the buckets to take objects from when fromPrefix tells them apart');
    }
    const start = prefix.split(ARTIST, 1)[0] ?? '';
    if (fromPrefix !== '' && start.startsWith(fromPrefix)) {
      issue('prefix', 'must not begin with fromPrefix');
    }
  });

export type SortMusicConfig = z.infer<typeof sortMusicSchema>;

/** @throws Error naming each field that is wrong. */
export function validateSortMusicConfig(_backbeatConfig: unknown, section: unknown): SortMusicConfig {
  return validateSection(sortMusicSchema, section);
}

/** Whether an object may be moved to `found`, by some artist. */
export function sortMusicReaches({ bucket }: Pick<SortMusicConfig, 'bucket'>, found: string): boolean {
  return new RegExp(`^${bucket.split(ARTIST).map(escapeRegExp).join('.*')}$`).test(found);
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
