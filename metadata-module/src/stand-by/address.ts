/** Where a module is reached by others over the same store. */
import { networkInterfaces } from 'node:os';
import { type Kind, parsed } from '@zenko-modules/common/settings';

/** A host as an address has it, with brackets around IPv6. */
export interface AdvertisedHost {
  readonly host: string;
  readonly port: number | undefined;
}

const HOST_AND_PORT = /^(\[[0-9a-fA-F:.]+\]|[^\s:[\],/@?#]+)(?::(\d{1,5}))?$/;
const WILDCARDS: readonly string[] = ['0.0.0.0', '::'];

export const advertisedHost: Kind<AdvertisedHost> = parsed('host, or host:port', value => {
  const match = HOST_AND_PORT.exec(value);
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (match?.[1] === undefined || port === 0 || (port ?? 1) > 65_535) throw new Error('it is no host:port');
  return { host: match[1], port };
});

/**
 * `host:port` of a module.
 * @param given METADATA_ADVERTISE
 * @param listening LISTEN_ADDRESS; where that is every address, the first one that other machines may know is taken
 */
export function advertisedAddress(
  given: AdvertisedHost | undefined,
  listening: string,
  port: number,
): string {
  const host = given?.host ?? inBrackets(WILDCARDS.includes(listening) ? firstAddress() : listening);
  return `${host}:${given?.port ?? port}`;
}

/** Where an owner is reached: `host:port` on either port, as far as it has it. */
export interface OwnerAddress {
  readonly plain: string | undefined;
  readonly tls: string | undefined;
}

const TLS_MARK = 'tls:';

/** As the store keeps it: `host:port`, `host:port tls:host:port` or `tls:host:port`. */
export function addressText({ plain, tls }: OwnerAddress): string {
  return [plain, tls && `${TLS_MARK}${tls}`].filter(part => part !== undefined).join(' ');
}

export function parseAddress(text: string): OwnerAddress {
  const parts = text.split(' ');
  return {
    plain: parts.find(part => !part.startsWith(TLS_MARK)),
    tls: parts.find(part => part.startsWith(TLS_MARK))?.slice(TLS_MARK.length),
  };
}

/** @throws Error when it is no `host:port` */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const match = HOST_AND_PORT.exec(address);
  if (match?.[1] === undefined || match[2] === undefined) throw new Error(`"${address}" is no host:port`);
  return { host: match[1].replace(/^\[|\]$/g, ''), port: Number(match[2]) };
}

function firstAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? []);
  const outside = all.filter(({ internal }) => !internal);
  const found = outside.find(({ family }) => family === 'IPv4') ?? outside[0];
  return found?.address ?? '127.0.0.1';
}

function inBrackets(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
