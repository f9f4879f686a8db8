/** Lists of addresses and networks, in CIDR notation. */
import net from 'node:net';
import { type Kind, parsed } from '../settings.js';

/** An IPv4 address in IPv6's notation, as a socket that takes both names its peer. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const MAPPED_BITS = 96;

/** Networks of both families. An IPv4 network holds its addresses in either notation; an IPv6 network holds no IPv4. */
export class AddressList {
  readonly #v4 = new net.BlockList();
  readonly #v6 = new net.BlockList();

  /** @throws Error naming the first entry that is no address and no network. */
  constructor(entries: readonly string[]) {
    for (const entry of entries) this.#add(entry);
  }

  /** @param address as a socket tells it; one that it does not know is in no list */
  has(address: string | undefined): boolean {
    // An address that is valid on one link only names its interface.
    const bare = plain(address?.replace(/%.*$/, '') ?? '');
    const family = net.isIP(bare);
    if (family === 0) return false;
    return family === 4 ? this.#v4.check(bare, 'ipv4') : this.#v6.check(bare, 'ipv6');
  }

  #add(entry: string): void {
    const [, given = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
    const isV6 = net.isIPv6(given) && !given.includes('%');
    const address = isV6 ? plain(new net.SocketAddress({ address: given, family: 'ipv6' }).address) : given;
    const family = net.isIP(address);
    const width = family === 4 ? 32 : 128;
    const isMapped = isV6 && family === 4;
    const prefix = bits === undefined ? width : Number(bits) - (isMapped ? MAPPED_BITS : 0);
    if (family === 0 || address.includes('%') || prefix < 0 || prefix > width)
      throw new Error(`"${entry}" is neither an address nor a network`);
    if (family === 4) this.#v4.addSubnet(address, prefix, 'ipv4');
    else this.#v6.addSubnet(address, prefix, 'ipv6');
  }
}

function plain(address: string): string {
  return MAPPED.exec(address)?.[1] ?? address;
}

export const addressList: Kind<AddressList> = parsed(
  'addresses and networks such as 10.0.0.0/8,192.168.1.7,fd00::/8, separated by commas',
  value => new AddressList(value.split(',').map(entry => entry.trim())),
);
