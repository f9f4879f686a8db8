/** XML in both directions. What comes in is hostile until shown otherwise: no document types, no depth, no size. */
import sax from 'sax';
import { messageOf } from '@zenko-modules/common/errors';
import { S3Error } from './s3-errors.js';

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** Deepest nesting of a request body; S3's own bodies need six levels. */
const MAX_DEPTH = 16;
/** Most elements of a request body; a thousand objects to delete, each with all that S3 knows of it, need 6002. */
const MAX_ELEMENTS = 10_000;

/** Characters that must not stand in a document as they are, by their code. */
const TO_ESCAPE = Uint8Array.from({ length: 0xa0 }, (_, code) =>
  code < 0x20 || code >= 0x7f || '&<>"'.includes(String.fromCharCode(code)) ? 1 : 0,
);

/** Elements as they stand in a document: for those of which it has a thousand, without an object for each. */
export class WrittenXml {
  readonly xml: string;

  constructor(xml: string) {
    this.xml = xml;
  }
}

export type XmlValue =
  string | number | boolean | undefined | WrittenXml | XmlElement | readonly XmlElement[];
/**
 * An element's children by name, in order; an array repeats the element; `undefined` leaves it out. `@name` is an
 * attribute, `#text` the text of the element.
 */
export interface XmlElement {
  readonly [name: string]: XmlValue;
}

/** A document with the root element `root` in the namespace of S3. */
export function buildXml(root: string, content: XmlElement): string {
  return document({ [root]: { '@xmlns': NAMESPACE, ...content } });
}

/** A document without namespace, as S3 sends errors. */
export function buildPlainXml(root: string, content: XmlElement): string {
  return document({ [root]: content });
}

function document(content: XmlElement): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${childElements(content)}`;
}

function childElements(content: XmlElement): string {
  let xml = '';
  for (const name in content) {
    if (!name.startsWith('@')) xml += writeElements(name, content[name]);
  }
  return xml;
}

/** None, one or several elements `name`, as they stand in a document. */
export function writeElements(name: string, value: XmlValue): string {
  if (value === undefined) return '';
  if (typeof value === 'object') {
    if (value instanceof WrittenXml) return value.xml;
    if (!isList(value)) return tagged(name, attributes(value), childElements(value));
    let xml = '';
    for (const each of value) xml += writeElements(name, each);
    return xml;
  }
  const text = typeof value === 'string' ? escapeText(value) : String(value);
  return name === '#text' ? text : tagged(name, '', text);
}

function attributes(element: XmlElement): string {
  let text = '';
  for (const name in element) {
    const value = element[name];
    if (name.startsWith('@') && typeof value === 'string') text += ` ${name.slice(1)}="${escapeText(value)}"`;
  }
  return text;
}

function tagged(name: string, attributesText: string, content: string): string {
  return content === '' ? `<${name}${attributesText}/>` : `<${name}${attributesText}>${content}</${name}>`;
}

function isList(value: XmlValue): value is readonly XmlElement[] {
  return Array.isArray(value);
}

/** Control characters become references, so that a key with a carriage return comes back as it was. */
export function escapeText(text: string): string {
  let escaped = '';
  let from = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code >= TO_ESCAPE.length || TO_ESCAPE[code] === 0) continue;
    escaped += `${text.slice(from, at)}&#${code};`;
    from = at + 1;
  }
  return from === 0 ? text : escaped + text.slice(from);
}

/** Only the five entities of XML itself are known. */
const PARSER_OPTIONS = { trim: false, strictEntities: true };

/** An element that was read: what it holds of text, and its children. */
export interface ParsedElement {
  readonly name: string;
  readonly text: string;
  readonly children: readonly ParsedElement[];
}

interface OpenElement extends ParsedElement {
  text: string;
  readonly children: OpenElement[];
}

/**
 * The root element of a document, which must be named `root`. Prefixes of namespaces are left out.
 * @throws S3Error MalformedXML
 */
export function parseXml(
  text: string,
  root: string,
  { maxElements = MAX_ELEMENTS }: { readonly maxElements?: number } = {},
): ParsedElement {
  let element: ParsedElement;
  try {
    element = parseDocument(text, maxElements);
  } catch (err) {
    throw new S3Error('MalformedXML', `The XML is not well-formed: ${firstLine(messageOf(err))}`, {
      cause: err,
    });
  }
  if (element.name !== root) {
    throw new S3Error('MalformedXML', `The XML must have the root element ${root}`);
  }
  return element;
}

function parseDocument(text: string, maxElements: number): ParsedElement {
  const parser = sax.parser(true, PARSER_OPTIONS);
  const document: OpenElement = { name: '', text: '', children: [] };
  const open = [document];
  let elements = 0;
  const addText = (part: string): void => {
    const element = open.at(-1);
    if (element) element.text += part;
  };
  parser.onerror = err => {
    throw err;
  };
  parser.ondoctype = () => {
    throw new Error('a document type is not accepted');
  };
  parser.onopentag = ({ name }) => {
    const element = { name: name.slice(name.indexOf(':') + 1), text: '', children: [] };
    open.at(-1)?.children.push(element);
    open.push(element);
    elements += 1;
    if (elements > maxElements) throw new Error(`there are more than ${maxElements} elements`);
    if (open.length > MAX_DEPTH) throw new Error(`elements are nested more than ${MAX_DEPTH} deep`);
  };
  parser.onclosetag = () => void open.pop();
  parser.ontext = addText;
  parser.oncdata = addText;
  parser.write(text).close();
  const [element, second] = document.children;
  if (!element || second) throw new Error('there must be one root element');
  return element;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]?.slice(0, 200) ?? '';
}

/** The children named `name`, none, one or several. */
export function childrenOf(element: ParsedElement, name: string): readonly ParsedElement[] {
  return element.children.filter(child => child.name === name);
}

/**
 * The text of the one child named `name`; `undefined` when there is none.
 * @throws S3Error MalformedXML when there are several, or it has children of its own.
 */
export function textOf(element: ParsedElement, name: string): string | undefined {
  const [child, second] = childrenOf(element, name);
  if (!child) return undefined;
  if (second || child.children.length > 0) {
    throw new S3Error('MalformedXML', `The XML must have one element ${name} that holds a text`);
  }
  return child.text;
}
