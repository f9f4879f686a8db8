/** `http://host:port`; an IPv6 address stands in brackets there. */
export function httpUrl(host: string, port: number | string, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
