// Runs in the processor: does the work of one message, through S3. It may be called twice for one change.
// What it throws decides what happens: see src/processor/failures.ts.

export const createProcessor = ({ describeObject, parseEntry, PermanentError, s3 }) =>
  class MyExtensionProcessor {
    constructor({ createS3Client, logger }) {
      this.client = createS3Client();
      this.log = logger;
    }

    async processEntry(message, abortSignal) {
      const object = describeObject(parseEntry(message.value));
      if (!object) throw new PermanentError('the message tells of no object');
      const target = { Bucket: object.bucket, Key: object.objectKey, VersionId: object.versionId };
      const { TagSet = [] } = await this.client.send(new s3.GetObjectTaggingCommand(target), { abortSignal });
      if (TagSet.some(({ Key }) => Key === 'my-extension')) return;
      const Tagging = { TagSet: [...TagSet, { Key: 'my-extension', Value: 'seen' }] };
      await this.client.send(new s3.PutObjectTaggingCommand({ ...target, Tagging }), { abortSignal });
      this.log.info(target, 'tagged');
    }
  };
