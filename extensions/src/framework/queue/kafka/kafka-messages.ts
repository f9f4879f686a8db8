/** Messages of the queue and of kafkajs, one into the other. */
import type { KafkaMessage, Message as ProducerMessage } from 'kafkajs';
import type { Message, ReceivedMessage } from '../queue.js';

/** The largest message that is published, and that topics which we make accept. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/** Sent at once, unless a single message is larger; below what brokers accept by default. */
const MAX_REQUEST_BYTES = 512 * 1024;

export function bytesOf({ key, value, headers = {} }: Message): number {
  const texts = [key, value, ...Object.entries(headers).flat()];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

/** The messages in their order, in parts that a broker accepts as one request. */
export function inRequests(messages: readonly Message[]): Message[][] {
  const requests: Message[][] = [];
  let bytes = Infinity;
  for (const message of messages) {
    const size = bytesOf(message);
    bytes += size;
    if (bytes > MAX_REQUEST_BYTES) {
      requests.push([]);
      bytes = size;
    }
    requests.at(-1)?.push(message);
  }
  return requests;
}

export function toKafka({ key, value, headers }: Message): ProducerMessage {
  return { key: key === '' ? null : key, value, ...(headers && { headers: { ...headers } }) };
}

export function fromKafka(topic: string, partition: number, message: KafkaMessage): ReceivedMessage {
  const headers = Object.entries(message.headers ?? {}).map(
    ([name, value]) => [name, textOf(value)] as const,
  );
  return {
    topic,
    partition,
    offset: message.offset,
    timestamp: Number(message.timestamp),
    key: message.key?.toString('utf8') ?? '',
    value: message.value?.toString('utf8') ?? '',
    headers: Object.fromEntries(headers),
  };
}

function textOf(value: Buffer | string | (Buffer | string)[] | undefined): string {
  return Array.isArray(value) ? value.map(String).join(', ') : String(value ?? '');
}
