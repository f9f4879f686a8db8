/**
 * The door of each port of a module that may or may not own its store. What comes over TLS is passed on as it is: its
 * client and the owner see each other's certificates, and nothing is readable in between.
 */
import type http from 'node:http';
import type { Logger } from '@zenko-modules/common/logger';
import type { PlannedPort, PortPlan } from '@zenko-modules/common/network/port-plan';
import type { Refusals } from '@zenko-modules/common/network/refusals';
import type { ServerPorts } from '@zenko-modules/common/network/server-ports';
import { TlsAcceptor } from '@zenko-modules/common/network/tls-acceptor';
import { parseAddress } from './address.js';
import { Door } from './door.js';

export interface DoorsOptions {
  readonly plan: PortPlan;
  readonly refusals: Refusals;
  readonly log: Logger;
}

/** A port, its door, and where the owner is reached that its connections are passed on to. */
interface Entrance {
  readonly setting: string;
  readonly kind: 'plain' | 'tls';
  readonly door: Door;
}

export class Doors {
  readonly #entrances: readonly Entrance[];
  readonly #acceptor: TlsAcceptor | undefined;
  readonly #served: { server?: http.Server };

  private constructor(
    entrances: readonly Entrance[],
    acceptor: TlsAcceptor | undefined,
    served: { server?: http.Server },
  ) {
    this.#entrances = entrances;
    this.#acceptor = acceptor;
    this.#served = served;
  }

  /** @throws StartError when a port cannot be bound, or a certificate cannot be used */
  static async open({ plan, refusals, log }: DoorsOptions): Promise<Doors> {
    const served: { server?: http.Server } = {};
    const acceptor =
      plan.tls &&
      (await TlsAcceptor.create({
        files: plan.tls.files,
        serve: socket => {
          if (served.server) served.server.emit('connection', socket);
          else socket.destroy();
        },
        portSetting: plan.tls.setting,
        refusals,
        log,
      }));
    const entrances: Entrance[] = [];
    const doors = new Doors(entrances, acceptor, served);
    const open = async (kind: Entrance['kind'], planned: PlannedPort): Promise<void> => {
      const { setting, allowFrom, ...at } = planned;
      const admission = { allowFrom, refusals };
      entrances.push({
        setting,
        kind,
        door: await Door.open({ ...at, portSetting: setting, admission, log }),
      });
    };
    try {
      if (plan.plain) await open('plain', plan.plain);
      if (plan.tls) await open('tls', plan.tls);
    } catch (err) {
      doors.shut();
      throw err;
    }
    return doors;
  }

  /** By setting name. */
  get ports(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#entrances.map(({ setting, door }) => [setting, door.port]));
  }

  /** See `Door`, as for what follows. */
  hold(): void {
    for (const { door } of this.#entrances) door.hold();
  }

  /** @param owner its address as `addressText` has it; where it has no port of a kind, what comes by this kind is held */
  passTo({ id, address }: { readonly id: string; readonly address: string }): void {
    const owner = parseAddress(address);
    for (const { kind, door } of this.#entrances) {
      const at = owner[kind];
      if (at === undefined) door.hold();
      else door.passTo({ id, address: at });
    }
  }

  serve(server: http.Server): ServerPorts {
    // From this event on an HTTP server ends requests that are too slow; it has no port of its own to listen on.
    server.emit('listening');
    this.#served.server = server;
    for (const { kind, door } of this.#entrances)
      door.serve(kind === 'tls' && this.#acceptor ? this.#acceptor.server : server);
    return { ports: this.ports, shutTls: () => Promise.resolve() };
  }

  cut(): void {
    for (const { door } of this.#entrances) door.cut();
  }

  /** For good. */
  shut(): void {
    for (const { door } of this.#entrances) door.shut();
    this.#acceptor?.close();
  }
}
