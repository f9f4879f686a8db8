/** Reads a daemon's probes and metrics. */

export async function readiness(port: number | undefined): Promise<{ status: number; reason: string }> {
  const response = await fetch(`http://127.0.0.1:${port}/_/ready`);
  const { reason = '' } = (await response.json()) as { reason?: string };
  return { status: response.status, reason };
}

/** The sum of a metric's samples whose line holds all of `labels`. */
export async function metric(port: number | undefined, name: string, ...labels: string[]): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return text
    .split('\n')
    .filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter(line => labels.every(label => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
