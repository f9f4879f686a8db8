/**
 * socket.io's own parser, with a look at each message before it is taken apart: a call carries a handful of
 * values and no binary ones. What is refused here ends the connection that it came from.
 */
import { Decoder, Encoder } from 'socket.io-parser';
import { hasMoreValues } from '../json-values.js';

/** Far more than any call of CloudServer has; the values that it stores are one text each. */
const MAX_VALUES = 100_000;

class CheckedDecoder extends Decoder {
  override add(message: unknown): void {
    if (typeof message !== 'string') throw new Error('no call has binary arguments');
    if (hasMoreValues(message, MAX_VALUES)) throw new Error(`a message holds more than ${MAX_VALUES} values`);
    super.add(message);
  }
}

export const MESSAGE_PARSER = { Encoder, Decoder: CheckedDecoder };
