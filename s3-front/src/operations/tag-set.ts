/** The tags of an object: as XML, as the header x-amz-tagging, and as they are stored. */
import type { Tags } from '../object-value.js';
import { S3Error } from '../s3-errors.js';
import { buildXml, childrenOf, parseXml, textOf } from '../xml.js';

/** Of an object. */
export const MAX_OBJECT_TAGS = 10;
export const MAX_BUCKET_TAGS = 50;
/** In UTF-16 units, as S3 counts. */
const MAX_KEY_LENGTH = 128;
const MAX_VALUE_LENGTH = 256;
const ALLOWED = /^[\p{L}\p{N}\p{Z}+\-=._:/@]*$/u;

/** @throws S3Error MalformedXML, InvalidTag, BadRequest */
export function parseTagging(xml: string, maxTags: number): Tags {
  const [tagSet, second] = childrenOf(parseXml(xml, 'Tagging'), 'TagSet');
  if (tagSet === undefined || second !== undefined) {
    throw new S3Error('MalformedXML', 'The XML must have one element TagSet in Tagging');
  }
  return checkTags(
    childrenOf(tagSet, 'Tag').map(tag => {
      const [key, value] = [textOf(tag, 'Key'), textOf(tag, 'Value')];
      if (key === undefined || value === undefined) {
        throw new S3Error('MalformedXML', 'A Tag must have a Key and a Value');
      }
      return [key, value];
    }),
    maxTags,
  );
}

/** The header is written like the query of a URL. @throws S3Error InvalidArgument, InvalidTag, BadRequest */
export function parseTaggingHeader(header: string): Tags {
  const pairs = header.split('&').filter(part => part !== '');
  return checkTags(
    pairs.map(pair => {
      const [key = '', value = '', ...more] = pair.split('=').map(decodePart);
      if (more.length > 0) throw new S3Error('InvalidArgument', 'x-amz-tagging must be like a=b&c=d');
      return [key, value];
    }),
    MAX_OBJECT_TAGS,
  );
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', '%20'));
  } catch (err) {
    throw new S3Error('InvalidArgument', 'x-amz-tagging must be like a=b&c=d, percent-encoded', {
      cause: err,
    });
  }
}

function checkTags(pairs: readonly (readonly [string, string])[], maxTags: number): Tags {
  if (pairs.length > maxTags) {
    throw new S3Error('BadRequest', `There must not be more than ${maxTags} tags`);
  }
  const tags = new Map<string, string>();
  for (const [key, value] of pairs) {
    if (key === '' || key.length > MAX_KEY_LENGTH || !ALLOWED.test(key)) {
      throw new S3Error(
        'InvalidTag',
        `A tag's key must be 1 to ${MAX_KEY_LENGTH} letters, digits, spaces and + - = . _ : / @`,
      );
    }
    if (value.length > MAX_VALUE_LENGTH || !ALLOWED.test(value)) {
      throw new S3Error(
        'InvalidTag',
        `A tag's value must be up to ${MAX_VALUE_LENGTH} letters, digits, spaces and + - = . _ : / @`,
      );
    }
    if (key.toLowerCase().startsWith('aws:')) {
      throw new S3Error('InvalidTag', 'Tags that begin with aws: are reserved');
    }
    if (tags.has(key)) throw new S3Error('InvalidTag', 'A tag must not be given twice');
    tags.set(key, value);
  }
  return Object.fromEntries(tags);
}

export function taggingXml(tags: Tags): string {
  const entries = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  return buildXml('Tagging', { TagSet: entries.length === 0 ? '' : { Tag: entries } });
}
