import { Counter, type Registry } from 'prom-client';
import { REFUSALS } from './refusals.js';

/** @param part begins the name of the metric */
export function createRefusalCounter(part: string, registry: Registry): Counter<'port' | 'reason'> {
  return new Counter({
    name: `${part}_connections_refused_total`,
    help: `Connections that were closed before they were served, by port (its setting) and reason: ${Object.keys(REFUSALS).join(', ')}`,
    labelNames: ['port', 'reason'],
    registers: [registry],
  });
}
