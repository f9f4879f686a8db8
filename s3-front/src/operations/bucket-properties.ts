/** What tools ask about a bucket before they use it. */
import { DEFAULT_LOCATION } from '../bucket-attributes.js';
import { buildXml } from '../xml.js';
import { findBucket } from './find-bucket.js';
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
