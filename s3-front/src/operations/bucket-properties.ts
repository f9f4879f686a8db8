/** What tools ask about a bucket before they use it. */
import { changedBucket, DEFAULT_LOCATION } from '../bucket-attributes.js';
import { S3Error } from '../s3-errors.js';
import { buildXml, parseXml, textOf } from '../xml.js';
import { findBucket, findWritableBucket } from './find-bucket.js';
import { type Operation, xmlResponse } from './operation.js';

export const headBucket: Operation = async (front, request) => {
  const bucket = await findBucket(front, request);
  return { status: 200, headers: { 'x-amz-bucket-region': bucket.locationConstraint ?? DEFAULT_LOCATION } };
};

/** The default location is written as an empty element, as in S3. */
export const getBucketLocation: Operation = async (front, request) => {
  const { locationConstraint } = await findBucket(front, request);
  const isDefault = locationConstraint === null || locationConstraint === DEFAULT_LOCATION;
  return xmlResponse(buildXml('LocationConstraint', isDefault ? {} : { '#text': locationConstraint }));
};

export const getBucketVersioning: Operation = async (front, request) => {
  const { versioningConfiguration } = await findBucket(front, request);
  return xmlResponse(buildXml('VersioningConfiguration', { Status: versioningConfiguration?.Status }));
};

const MAX_BODY_BYTES = 16 * 1024;

/** Versioning that was enabled can be suspended, not taken away. */
export const putBucketVersioning: Operation = async (front, request) => {
  const xml = parseXml(await request.body().text(MAX_BODY_BYTES), 'VersioningConfiguration');
  const status = textOf(xml, 'Status')?.trim();
  if (textOf(xml, 'MfaDelete')?.trim() === 'Enabled') {
    throw new S3Error('NotImplemented', 'This endpoint does not offer MfaDelete');
  }
  if (status !== 'Enabled' && status !== 'Suspended') {
    throw new S3Error('IllegalVersioningConfigurationException');
  }
  await front.locks.exclusive(request.bucket, async () => {
    const bucket = await findWritableBucket(front, request);
    const changed = changedBucket(bucket, { versioningConfiguration: { Status: status } });
    await front.metadata.putBucket(changed, request.reqUids);
  });
  return { status: 200 };
};
