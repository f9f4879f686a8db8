/**
 * socket.io's own parser, with a look at each message before it is taken apart: a call carries a handful of
 * values and no binary ones. What is refused here ends the connection that it came from.
 */
import { Decoder, Encoder, type Packet, PacketType } from 'socket.io-parser';
import { hasMoreValues } from '@zenko-modules/common/json-values';
import { EntryData, entryText, type Utf8Text } from './entry-text.js';

/** Far more than any call of CloudServer has; the values that it stores are one text each. */
const MAX_VALUES = 100_000;
/** What a client says when it connects to a namespace is kept for as long as it stays. */
const MAX_CONNECT_LENGTH = 16 * 1024;

const CONNECT = String(PacketType.CONNECT);
/** Packets that announce binary parts are kept until those have come. */
const BINARY = [PacketType.BINARY_EVENT, PacketType.BINARY_ACK].map(String);

/** Before each message of engine.io that holds a packet of socket.io. It sends bytes as they are. */
const MESSAGE = '4';

/** What the server sends is JSON: nobody need look through it for binary parts. */
class JsonEncoder extends Encoder {
  /** An `EntryData` may become an `Utf8Text`, which only web sockets send as a text. */
  override encode({ type, nsp, id, data }: Packet): [string | Utf8Text] {
    const head = `${type}${nsp === '/' ? '' : `${nsp},`}${id ?? ''}`;
    if (data === undefined) return [head];
    const [event, payload] = Array.isArray(data) ? (data as readonly unknown[]) : [];
    if (payload instanceof EntryData) {
      const text = entryText(`${MESSAGE}${head}[${JSON.stringify(event)},`, payload);
      if (text) return [text];
    }
    return [`${head}${JSON.stringify(data)}`];
  }
}

class CheckedDecoder extends Decoder {
  override add(message: unknown): void {
    if (typeof message !== 'string' || BINARY.includes(message.charAt(0))) {
      throw new Error('no call has binary arguments');
    }
    if (message.startsWith(CONNECT) && message.length > MAX_CONNECT_LENGTH) {
      throw new Error(`a client connects with more than ${MAX_CONNECT_LENGTH} characters`);
    }
    if (hasMoreValues(message, MAX_VALUES)) throw new Error(`a message holds more than ${MAX_VALUES} values`);
    super.add(message);
  }
}

export const MESSAGE_PARSER = { Encoder: JsonEncoder, Decoder: CheckedDecoder };
