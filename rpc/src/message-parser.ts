/**
 * socket.io's own parser, with a look at each message before it is taken apart: a call carries a handful of
 * values and no binary ones. What is refused here ends the connection that it came from.
 */
import { Decoder, Encoder, type Packet, PacketType } from 'socket.io-parser';
import { hasMoreValues } from '@zenko-modules/common/json-values';

/** Far more than any call of CloudServer has; the values that it stores are one text each. */
const MAX_VALUES = 100_000;
/** What a client says when it connects to a namespace is kept for as long as it stays. */
const MAX_CONNECT_LENGTH = 16 * 1024;

const CONNECT = String(PacketType.CONNECT);
/** Packets that announce binary parts are kept until those have come. */
const BINARY = [PacketType.BINARY_EVENT, PacketType.BINARY_ACK].map(String);

/** What the server sends is JSON: nobody need look through it for binary parts. */
class JsonEncoder extends Encoder {
  override encode({ type, nsp, id, data }: Packet): [string] {
    const namespace = nsp === '/' ? '' : `${nsp},`;
    return [`${type}${namespace}${id ?? ''}${data === undefined ? '' : JSON.stringify(data)}`];
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
