/** What the configurations of the moving extensions have in common. */
import { z } from 'zod';
import { extensionSection } from '../../framework/config/backbeat-config.js';

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

export const bucketName = z.string().regex(BUCKET, 'expected the name of a bucket');

/** Fields that every moving extension has. */
export const moveSection = extensionSection.extend({
  /** Objects that are written to these buckets are moved out of them. */
  buckets: z.array(bucketName).min(1, 'expected at least one bucket to take objects from'),
  /** What to do when the target exists and is another object: overwrite it, or park the message. */
  overwrite: z.boolean().default(false),
});
