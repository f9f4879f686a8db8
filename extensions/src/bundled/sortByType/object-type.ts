/** The names under which an object's type may stand among the targets. */
import { fileTypeFromBuffer, supportedExtensions } from 'file-type';

/** As many of the first bytes as any of the library's tests looks at. */
export const SAMPLE_BYTES = 4100;

/** Types that say nothing: what clients send when they do not know. */
const GENERIC = new Set([
  '',
  'application/octet-stream',
  'binary/octet-stream',
  'application/x-www-form-urlencoded',
]);

export interface DetectedType {
  readonly mime: string;
  /** The usual file name extension, such as `jpg`. */
  readonly ext?: string;
}

/** The type that a client gave, unless it says nothing. */
export function declaredType(contentType: string | undefined): DetectedType | undefined {
  const mime = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return GENERIC.has(mime) ? undefined : { mime };
}

/** The type that the first bytes show; text when they are nothing else and read as UTF-8. */
export async function sampledType(sample: Uint8Array, isWhole: boolean): Promise<DetectedType | undefined> {
  const found = await fileTypeFromBuffer(sample);
  if (found) return { mime: found.mime, ext: found.ext };
  return sample.length > 0 && isText(sample, isWhole) ? { mime: 'text/plain', ext: 'txt' } : undefined;
}

/** From the most exact name to the least: `image/jpeg`, `jpeg`, `jpg`, `image/*`, `image`. */
export function typeNames({ mime, ext }: DetectedType): string[] {
  const [major = '', minor = ''] = mime.split('/');
  const short = minor.replace(/^x-/, '').replace(/-compressed$/, '');
  const usual = ext ?? EXTENSIONS.get(short);
  return [mime, minor, short, ...(usual === undefined ? [] : [usual]), `${major}/*`, major];
}

/** Extensions that people use for a subtype of another name. */
const EXTENSIONS = new Map([
  ['jpeg', 'jpg'],
  ['plain', 'txt'],
  ['mpeg', 'mp3'],
  ['gzip', 'gz'],
  ...[...supportedExtensions].map(ext => [ext, ext] as const),
]);

function isText(sample: Uint8Array, isWhole: boolean): boolean {
  // Control characters other than tab, line feed, form feed, carriage return and escape are in no text.
  if (sample.some(byte => byte < 0x20 && ![0x09, 0x0a, 0x0c, 0x0d, 0x1b].includes(byte))) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(sample, { stream: !isWhole });
    return true;
  } catch {
    return false;
  }
}
