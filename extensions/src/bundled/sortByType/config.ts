import { z } from 'zod';
import { topicName, validateSection } from '../../framework/config/section.js';
import { bucketName, moveSection } from '../move/move-config.js';

export const sortByTypeSchema = moveSection
  .extend({
    topic: topicName.default('backbeat-sort-by-type'),
    by: z.enum(['type', 'owner']).default('type'),
    /**
     * By type: from `image/jpeg`, `jpeg`, `jpg`, `image/*` or `image` to a bucket, the most exact name
     * first. By owner: from a canonical id or a display name to a bucket.
     */
    targets: z.record(z.string().min(1), bucketName).default({}),
    /** For objects that no target fits; without it they stay where they are. */
    defaultBucket: bucketName.optional(),
  })
  .strict()
  .superRefine(({ buckets, targets, defaultBucket }, context) => {
    if (Object.keys(targets).length === 0 && defaultBucket === undefined) {
      context.addIssue({ code: 'custom', path: ['targets'], message: 'expected at least one target' });
    }
    // An object that was moved must never be found to be moved again.
    for (const [name, bucket] of [...Object.entries(targets), ['defaultBucket', defaultBucket] as const]) {
      if (bucket !== undefined && buckets.includes(bucket)) {
        const path = name === 'defaultBucket' ? [name] : ['targets', name];
        context.addIssue({
          code: 'custom',
          path,
          message: `${bucket} is one of the buckets to take objects from`,
        });
      }
    }
  });

export type SortByTypeConfig = z.infer<typeof sortByTypeSchema>;

/** @throws Error naming each field that is wrong. */
export function validateSortByTypeConfig(_backbeatConfig: unknown, section: unknown): SortByTypeConfig {
  return validateSection(sortByTypeSchema, section);
}

/** Whether an object may be moved to `bucket`. */
export function sortByTypeReaches({ targets, defaultBucket }: SortByTypeConfig, bucket: string): boolean {
  return bucket === defaultBucket || Object.values(targets).includes(bucket);
}
