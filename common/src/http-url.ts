/** `http://host:port`; an IPv6 address stands in brackets there. */
export function httpUrl(host: string, port: number | string): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
