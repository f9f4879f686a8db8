/**
 * memjs's server with another way to put requests and answers together. memjs copies a value into its request, and all
 * that it has received of an answer at every packet, which costs more per byte the larger the value is, and takes
 * whatever it reads for an answer. This one sends a value in the pieces that there are, reads each byte of an answer to
 * where it stays, and gives up the connection when what comes is none.
 */
import { Server, type ServerOptions } from 'memjs';

const HEADER_BYTES = 24;
const ANSWER_MAGIC = 0x81;
const BODY_LENGTH_OFFSET = 8;

/** Larger than any item that a server takes (`-I` goes to 1 GiB, what we store to a few MiB). */
const MAX_BODY_BYTES = 256 * 1024 * 1024;
const READ_BYTES = 64 * 1024;

export class FramedServer extends Server {
  readonly #header = Buffer.alloc(HEADER_BYTES);
  /** Where the bytes that come belong: the header, until it is whole, and then the answer that it begins. */
  #answer = this.#header;
  #held = 0;
  #rest: readonly Buffer[] = [];

  constructor(host: string, port: number, user?: string, password?: string, options?: ServerOptions) {
    super(host, port, user, password, options);
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const onread = {
      buffer,
      callback: (bytes: number): boolean => {
        this.responseHandler(buffer.subarray(0, bytes));
        return true;
      },
    };
    // memjs hands it to net.connect, which takes options in its place; and prints it.
    Object.assign(this, { port: { host, port, onread, toString: () => String(port) } });
  }

  /**
   * Carries out `request`, which makes memjs write one request, at once, and adds the pieces to the end of the value of
   * that request. They stay as they are until it is answered.
   */
  withRest(pieces: readonly Buffer[], request: () => void): void {
    this.#rest = pieces;
    try {
      request();
    } finally {
      this.#rest = [];
    }
  }

  override write(request: Buffer): void {
    const pieces = this.#rest;
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    request.writeUInt32BE(request.readUInt32BE(BODY_LENGTH_OFFSET) + bytes, BODY_LENGTH_OFFSET);
    this.sock(false, socket => socket.cork());
    super.write(request);
    this.sock(false, socket => {
      for (const piece of pieces) socket.write(piece);
      socket.uncork();
    });
  }

  /** @param received may be used again when this has returned */
  override responseHandler(received: Buffer): void {
    let at = 0;
    while (at < received.length) {
      const copied = received.copy(this.#answer, this.#held, at);
      at += copied;
      this.#held += copied;
      if (this.#held < this.#answer.length) return;
      if (this.#held === HEADER_BYTES) {
        const length = bodyLength(this.#header);
        if (Number.isNaN(length)) {
          this.error(new Error('what the server sends is no answer'));
          return;
        }
        this.#answer = Buffer.allocUnsafeSlow(HEADER_BYTES + length);
        this.#header.copy(this.#answer);
        if (length > 0) continue;
      }
      const answer = this.#answer;
      this.#answer = this.#header;
      this.#held = 0;
      super.responseHandler(answer);
    }
  }

  /** Called with whole answers only, so that nothing is ever held over. */
  override appendToBuffer(answer: Buffer): Buffer {
    return Object.assign(this, { responseBuffer: answer }).responseBuffer;
  }
}

/** The length that an answer's header announces; NaN when it is no header of an answer. */
function bodyLength(header: Buffer): number {
  const length = header.readUInt32BE(BODY_LENGTH_OFFSET);
  const inside = header.readUInt16BE(2) + header.readUInt8(4);
  return header.readUInt8(0) === ANSWER_MAGIC && inside <= length && length <= MAX_BODY_BYTES
    ? length
    : Number.NaN;
}
