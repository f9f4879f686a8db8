/**
 * A proxy that understands MongoDB's wire protocol (OP_MSG), for what a server does once in a year: it
 * answers in the server's place, cuts before or after the server has carried out a command, or lets one
 * arrive late.
 */
import net from 'node:net';
import type { TestContext } from 'node:test';
import { BSON, type Document } from 'mongodb';

const OP_MSG = 2013;
/** Numbers keep their BSON types, so that a changed answer is still one. */
const DECODING = { promoteBuffers: true, promoteLongs: false } as const;
const HEADER_BYTES = 16;
const FLAG_BYTES = 4;

/** A command on its way to the server. */
export interface WireCommand {
  /** Such as `insert`. */
  readonly name: string;
  /** The collection that it names, or for `renameCollection` the full old name. */
  readonly target: string;
  /** The whole command, with its document sequences put in as arrays. */
  readonly body: Document;
}

/**
 * What becomes of a command. `cut-before`: the server never sees it; `cut-after`: the server carries it out,
 * and the connection breaks instead of the answer. `mute-before`, `mute-after`: the same, but the connection stays,
 * and no answer ever comes. `end-after`: the answer comes, and the end of the connection right behind it. `answer`: in
 * the server's place. `change`: of the server's answer. `hold`: it reaches the server when the promise resolves, even if
 * the client has given up long before. `holdAnswer`: the server carries it out at once, and the client hears of it when
 * the promise resolves.
 */
export type Verdict =
  | 'pass'
  | 'cut-before'
  | 'cut-after'
  | 'mute-before'
  | 'mute-after'
  | 'end-after'
  | { readonly answer: Document }
  | { readonly change: (answer: Document) => Document }
  | { readonly hold: Promise<unknown> }
  | { readonly holdAnswer: Promise<unknown> };

export interface WireProxy {
  readonly url: string;
  /** Asked about every command; replaces the judge before. */
  judge: (command: WireCommand) => Verdict;
  /** Commands that came so far, those of the driver's own monitoring left out. */
  readonly commands: WireCommand[];
}

/** A proxy before the server at `url`, passing everything at first; closed when the test ends. */
export async function startWireProxy(t: Pick<TestContext, 'after'>, url: string): Promise<WireProxy> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<net.Socket>();
  const connect = (): net.Socket => track(net.connect(Number(port), hostname), sockets);
  const server = net.createServer(client => {
    new Passage(track(client, sockets), connect, proxy).start();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address() as net.AddressInfo;
  const proxy: WireProxy = {
    url: `mongodb://127.0.0.1:${address.port}/?directConnection=true`,
    judge: () => 'pass',
    commands: [],
  };
  return proxy;
}

/** What a proxy does once, to one command. */
export interface Strike {
  readonly at: (command: WireCommand) => boolean;
  readonly verdict: Verdict;
  /** How many such commands pass before. */
  readonly skip?: number;
  /** What becomes of all commands after it; they pass by default. */
  readonly afterwards?: Verdict | ((command: WireCommand) => Verdict);
}

/** Lets the proxy strike; returns whether it has. */
export function arm(proxy: WireProxy, { at, verdict, skip = 0, afterwards = 'pass' }: Strike): () => boolean {
  let left = skip;
  let hit = false;
  proxy.judge = command => {
    if (hit) return typeof afterwards === 'function' ? afterwards(command) : afterwards;
    if (!at(command)) return 'pass';
    left -= 1;
    hit = left < 0;
    return hit ? verdict : 'pass';
  };
  return () => hit;
}

/** Commands of a name on a collection whose name ends so, such as `insert` on `.journal`. */
export function on(name: string, ending: string): (command: WireCommand) => boolean {
  return command => command.name === name && command.target.endsWith(ending);
}

function track(socket: net.Socket, sockets: Set<net.Socket>): net.Socket {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
  socket.on('error', () => socket.destroy());
  return socket;
}

/** One connection of a client. */
class Passage {
  readonly #client: net.Socket;
  readonly #connect: () => net.Socket;
  readonly #proxy: WireProxy;
  readonly #upstream: net.Socket;
  /** What becomes of the next answer. */
  #onAnswer: ((message: Buffer) => void) | undefined;

  constructor(client: net.Socket, connect: () => net.Socket, proxy: WireProxy) {
    this.#client = client;
    this.#connect = connect;
    this.#proxy = proxy;
    this.#upstream = connect();
  }

  start(): void {
    onMessages(this.#client, message => this.#request(message));
    onMessages(this.#upstream, message => {
      const onAnswer = this.#onAnswer;
      this.#onAnswer = undefined;
      if (onAnswer === undefined) this.#client.write(message);
      else onAnswer(message);
    });
    this.#client.once('close', () => this.#upstream.destroy());
    this.#upstream.once('close', () => this.#client.destroy());
  }

  #request(message: Buffer): void {
    const command = parseCommand(message);
    if (command === undefined) {
      this.#upstream.write(message);
      return;
    }
    this.#proxy.commands.push(command);
    const verdict = this.#proxy.judge(command);
    if (verdict === 'cut-before') {
      this.#client.resetAndDestroy();
    } else if (verdict === 'cut-after') {
      this.#onAnswer = () => this.#client.resetAndDestroy();
      this.#upstream.write(message);
    } else if (verdict === 'mute-before') {
      return;
    } else if (verdict === 'mute-after') {
      this.#onAnswer = () => undefined;
      this.#upstream.write(message);
    } else if (verdict === 'end-after') {
      this.#onAnswer = answer => this.#client.end(answer);
      this.#upstream.write(message);
    } else if (verdict === 'pass') {
      this.#upstream.write(message);
    } else if ('answer' in verdict) {
      this.#client.write(formatAnswer(message, verdict.answer));
    } else if ('change' in verdict) {
      this.#onAnswer = answer => this.#client.write(formatAnswer(message, verdict.change(parseBody(answer))));
      this.#upstream.write(message);
    } else if ('holdAnswer' in verdict) {
      this.#onAnswer = answer => void verdict.holdAnswer.then(() => this.#client.write(answer));
      this.#upstream.write(message);
    } else {
      void verdict.hold.then(() => this.#deliverLate(message));
    }
  }

  /** On a connection of its own: the client's may be gone. */
  #deliverLate(message: Buffer): void {
    const late = this.#connect();
    onMessages(late, answer => {
      if (this.#client.writable) this.#client.write(answer);
      late.destroy();
    });
    late.write(message);
  }
}

/** Calls back with every whole message. */
function onMessages(socket: net.Socket, receive: (message: Buffer) => void): void {
  let pending: Buffer = Buffer.alloc(0);
  socket.on('data', (data: Buffer) => {
    pending = pending.length === 0 ? data : Buffer.concat([pending, data]);
    while (pending.length >= 4 && pending.length >= pending.readInt32LE(0)) {
      const length = pending.readInt32LE(0);
      receive(pending.subarray(0, length));
      pending = pending.subarray(length);
    }
  });
}

/** `undefined` for what is no command of the store: other messages, and the driver's monitoring. */
function parseCommand(message: Buffer): WireCommand | undefined {
  if (message.readInt32LE(12) !== OP_MSG) return undefined;
  const body = parseBody(message);
  const name = Object.keys(body)[0] ?? '';
  if (['hello', 'ismaster', 'isMaster', 'ping', 'endSessions'].includes(name)) return undefined;
  return { name, target: String(body[name]), body };
}

/** The document of a message, its document sequences put in as arrays. */
function parseBody(message: Buffer): Document {
  let body: Document = {};
  const sequences: Document = {};
  let at = HEADER_BYTES + FLAG_BYTES;
  while (at < message.length) {
    const kind = message.readUInt8(at);
    const size = message.readInt32LE(at + 1);
    const section = message.subarray(at + 1, at + 1 + size);
    if (kind === 0) body = BSON.deserialize(section, DECODING);
    else Object.assign(sequences, parseSequence(section));
    at += 1 + size;
  }
  return { ...body, ...sequences };
}

function parseSequence(section: Buffer): Document {
  const end = section.indexOf(0, 4);
  const documents: Document[] = [];
  for (let at = end + 1; at < section.length; at += section.readInt32LE(at)) {
    documents.push(BSON.deserialize(section.subarray(at, at + section.readInt32LE(at)), DECODING));
  }
  return { [section.toString('utf8', 4, end)]: documents };
}

/** An answer to `request`. */
function formatAnswer(request: Buffer, answer: Document): Buffer {
  const body = BSON.serialize(answer);
  const head = Buffer.alloc(HEADER_BYTES + FLAG_BYTES + 1);
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(request.readInt32LE(4), 8);
  head.writeInt32LE(OP_MSG, 12);
  return Buffer.concat([head, body]);
}
