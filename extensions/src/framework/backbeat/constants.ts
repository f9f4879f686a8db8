/** What extensions take from Backbeat's constants, as far as it exists here. */
export const constants = {
  authTypeAccount: 'account',
  authTypeService: 'service',
  mpuBucketPrefix: 'mpuShadowBucket',
  usersBucket: 'users..bucket',
  metastoreBucket: '__metastore',
} as const;
