import { ObjectVersions, type ListedVersion } from '../listing/object-versions.js';
import { afterPrefix, isAfter } from '../listing/key-bounds.js';
import type { KeyRange } from '../metadata-client.js';
import { S3Error } from '../s3-errors.js';
import { decodeVersionId, encodeVersionId, NULL_VERSION } from '../version-id.js';
import { buildXml, WrittenXml, writeElements } from '../xml.js';
import { etagOf } from './conditions.js';
import { findBucket } from './find-bucket.js';
import { writeOwner } from './list-owner.js';
import { isNullVersion } from './find-version.js';
import { type ListRequest, readListRequest } from './list-request.js';
import { type Front, type Operation, type S3Request, xmlResponse } from './operation.js';

interface Marker {
  readonly key: string;
  /** As clients see it; `undefined`: the page begins behind all versions of the key. */
  readonly versionId: string | undefined;
}

interface Page {
  readonly versions: readonly ListedVersion[];
  readonly commonPrefixes: readonly string[];
  /** The last of the page, when more follow. */
  readonly next: Marker | undefined;
}

/** ListObjectVersions: pages by `key-marker` and `version-id-marker`. */
export const listObjectVersions: Operation = async (front, request) => {
  await findBucket(front, request);
  const { query } = request;
  const list = readListRequest(request);
  const marker = { key: query.get('key-marker') ?? '', versionId: query.get('version-id-marker') };
  if (marker.versionId !== undefined && marker.versionId !== '') {
    if (marker.key === '') throw new S3Error('InvalidArgument', 'A version-id-marker needs a key-marker');
    decodeVersionId(marker.versionId);
  }
  const page = await readPage(front, request, list, { ...marker, versionId: marker.versionId || undefined });
  const elements = (isMarker: boolean): WrittenXml =>
    new WrittenXml(
      page.versions
        .filter(({ value }) => (value.isDeleteMarker === true) === isMarker)
        .map(version => versionElement(version, list, isMarker))
        .join(''),
    );
  return xmlResponse(
    buildXml('ListVersionsResult', {
      Name: request.bucket,
      Prefix: list.encode(list.prefix),
      KeyMarker: list.encode(marker.key),
      VersionIdMarker: marker.versionId ?? '',
      NextKeyMarker: page.next && list.encode(page.next.key),
      NextVersionIdMarker: page.next?.versionId,
      MaxKeys: list.maxKeys,
      Delimiter: list.delimiter === '' ? undefined : list.encode(list.delimiter),
      ...list.encoding,
      IsTruncated: page.next !== undefined,
      Version: elements(false),
      DeleteMarker: elements(true),
      CommonPrefixes: page.commonPrefixes.map(prefix => ({ Prefix: list.encode(prefix) })),
    }),
  );
};

async function readPage(front: Front, request: S3Request, list: ListRequest, marker: Marker): Promise<Page> {
  const { prefix, delimiter, maxKeys } = list;
  const versions: ListedVersion[] = [];
  const commonPrefixes: string[] = [];
  const range = rangeBehind(marker, list);
  if (!range || maxKeys === 0) return { versions, commonPrefixes, next: undefined };
  const found = new ObjectVersions(
    each => front.metadata.readListed(request.bucket, each, request.reqUids, { withOwner: true }),
    range,
  );
  let isBehind = marker.versionId === undefined;
  let last: Marker | undefined;
  try {
    for (let version = await found.next(); version; version = await found.next()) {
      const { key } = version;
      if (!isBehind && key === marker.key) {
        isBehind = shownId(version) === marker.versionId || isPast(version, marker);
        if (!isPast(version, marker)) continue;
      }
      const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      const common = end < 0 ? undefined : key.slice(0, end + delimiter.length);
      if (common !== undefined && common === commonPrefixes.at(-1)) continue;
      if (versions.length + commonPrefixes.length === maxKeys)
        return { versions, commonPrefixes, next: last };
      if (common === undefined) {
        versions.push(version);
        last = { key, versionId: markerId(version) };
      } else {
        commonPrefixes.push(common);
        last = { key: common, versionId: undefined };
        found.skipPrefix(common);
      }
    }
    return { versions, commonPrefixes, next: undefined };
  } finally {
    await found.close();
  }
}

/** The keys that can be on the page; `undefined`: none can. The versions of a key come behind it, before `key\x01`. */
function rangeBehind(marker: Marker, { prefix, delimiter }: ListRequest): KeyRange | undefined {
  const lt = prefix === '' ? undefined : afterPrefix(prefix);
  const upper = lt === undefined ? {} : { lt };
  const isPrefix = delimiter !== '' && marker.versionId === undefined && marker.key.endsWith(delimiter);
  const behind = isPrefix ? afterPrefix(marker.key) : `${marker.key}\x01`;
  const start = marker.versionId === undefined ? behind : marker.key;
  if (marker.key === '' || (start !== undefined && isAfter(prefix, start))) {
    return prefix === '' ? {} : { gte: prefix, ...upper };
  }
  if (start === undefined || (lt !== undefined && !isAfter(lt, start))) return undefined;
  return { gte: start, ...upper };
}

/** Whether a version comes after that of the marker, which may have been deleted since. Newer ids sort first. */
function isPast({ value }: ListedVersion, { versionId = NULL_VERSION }: Marker): boolean {
  const id = decodeVersionId(versionId);
  return id !== NULL_VERSION && value.versionId !== undefined && value.versionId > id;
}

function shownId({ value }: ListedVersion): string {
  return value.versionId === undefined || isNullVersion(value)
    ? NULL_VERSION
    : encodeVersionId(value.versionId);
}

/** By the next page the version may be gone, and `null` does not tell where it stood. */
function markerId({ value }: ListedVersion): string {
  return value.versionId === undefined ? NULL_VERSION : encodeVersionId(value.versionId);
}

function versionElement(version: ListedVersion, list: ListRequest, isMarker: boolean): string {
  const { key, value, isLatest } = version;
  const name = isMarker ? 'DeleteMarker' : 'Version';
  return (
    `<${name}>${writeElements('Key', list.encode(key))}` +
    writeElements('VersionId', shownId(version)) +
    writeElements('IsLatest', isLatest) +
    writeElements('LastModified', value['last-modified']) +
    (isMarker ? '' : writeElements('ETag', etagOf(value)) + writeElements('Size', value['content-length'])) +
    writeOwner(value) +
    `${isMarker ? '' : '<StorageClass>STANDARD</StorageClass>'}</${name}>`
  );
}
