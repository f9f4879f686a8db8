/** Which names a bucket may have: the rules of S3, which keep every database of CloudServer's own out of reach. */
import { isIPv4 } from 'node:net';
import { S3Error } from './s3-errors.js';

const NAME = /^(?=.{3,63}$)[a-z0-9]+(?:(?:\.|-+)[a-z0-9]+)*$/;
const RESERVED_PREFIXES = ['xn--', 'sthree-', 'amzn-s3-demo-'];
const RESERVED_SUFFIXES = ['-s3alias', '--ol-s3', '--x-s3', '.mrap'];

/** @throws S3Error InvalidBucketName */
export function checkBucketName(name: string): void {
  if (!NAME.test(name) || isIPv4(name)) {
    throw new S3Error(
      'InvalidBucketName',
      `"${name.slice(0, 100)}" is not a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens, ` +
        'a letter or digit at both ends and between dots, and no IP address',
    );
  }
}

/** Stricter, for names that are new. @throws S3Error InvalidBucketName */
export function checkNewBucketName(name: string): void {
  checkBucketName(name);
  if (
    RESERVED_PREFIXES.some(prefix => name.startsWith(prefix)) ||
    RESERVED_SUFFIXES.some(suffix => name.endsWith(suffix))
  ) {
    throw new S3Error('InvalidBucketName', `"${name}" begins or ends in a way that S3 reserves`);
  }
}
