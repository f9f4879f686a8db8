/** The forms of a request line, RFC 9112, section 3.2. */

export interface OriginForm {
  /** Path and query, as they came; begins with a slash. */
  readonly url: string;
  /** Host and port of a target that is a whole URL; they stand in the place of the header Host. */
  readonly authority: string | undefined;
}

const ABSOLUTE = /^https?:\/\/([^/?#@\s]+)([/?][^#]*)?$/i;

/**
 * The target of a request as path and query. Every server has to take a whole URL as well: some clients send it,
 * and all do to what they take for a proxy. `undefined` for what is neither.
 */
export function originForm(target: string): OriginForm | undefined {
  if (target.startsWith('/')) return { url: target, authority: undefined };
  const [, authority, rest = '/'] = ABSOLUTE.exec(target) ?? [];
  if (authority === undefined) return undefined;
  return { url: rest.startsWith('/') ? rest : `/${rest}`, authority };
}
