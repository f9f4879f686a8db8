/**
 * What an extension is: the default export of its folder's index, an object with these members, or a
 * function that gets `ExtensionApi` and returns one (for a folder from which this package cannot be
 * imported by name).
 *
 * Either half may be missing: an extension may only publish, or only process a topic that others fill.
 */
import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import type { Logger } from '@zenko-modules/common/logger';
import type { BackbeatConfig } from '../config/backbeat-config.js';
import type { ReceivedMessage } from '../queue/queue.js';
import type { PermanentError } from './processor-errors.js';
import type { EntryFilter, PopulatorContext, QueuePopulatorExtension } from './queue-populator-extension.js';

export interface Extension {
  /** The name of its section in the configuration, and the argument of the processor command. */
  readonly name: string;
  readonly version: string;
  /**
   * Checks the extension's section and returns it with its defaults filled in (Backbeat's `{ error, value }`
   * of joi works too); it is then what `config` is elsewhere. Throws when the section is not acceptable,
   * naming the field. The section has a string `topic` when there is a queueProcessor.
   */
  readonly configValidator?: (backbeatConfig: BackbeatConfig, extConfig: unknown) => unknown;
  /** Names of the fields of its section as they are spelled, so that environment variables find them. */
  readonly configFields?: readonly string[];
  /** Made once per populator: a class that extends `QueuePopulatorExtension`. */
  readonly queuePopulatorExtension?: new (context: PopulatorContext<never>) => EntryFilter;
  /**
   * Made once per processor. A class with a method `start` is in Backbeat's form: see
   * `processor/backbeat-processor.ts`.
   */
  readonly queueProcessor?: new (context: ProcessorContext<never>) => QueueProcessor;
}

export interface ProcessorContext<Config = unknown> {
  /** What the extension's configValidator returned. */
  readonly config: Config;
  readonly backbeatConfig: BackbeatConfig;
  readonly logger: Logger;
  /**
   * An S3 client for the endpoint and the credentials that the configuration gives this extension. It does
   * not retry: the processor runner does. The runner closes it.
   */
  readonly createS3Client: CreateS3Client;
  /**
   * Publishes a message, so that extensions work in chains. `key`, for an object `<bucket>/<object key>`, is
   * URI-encoded and decides the order, as with a filter's `publish`. Resolves when the message is on stable
   * storage, so await it before `processEntry` resolves; a message that is processed again is published again.
   * Rejects when the topic or the message is not acceptable, with a `PermanentError`, or when the queue does
   * not take it at the moment.
   */
  readonly publish: Publish;
}

export type Publish = (topic: string, key: string, message: string) => Promise<void>;

export type CreateS3Client = (overrides?: S3ClientConfig) => S3Client;

export interface QueueProcessor {
  /**
   * Does the work of one message; it may be called again for a message that is done already. What it
   * rejects with decides what happens: see `processor/failures.ts`, and `PermanentError`. `signal` is
   * aborted when the attempt has to end: it took longer than it may, or the processor stops or loses the
   * message to another one, and did not finish in the time that this leaves. Give it to every wait: what
   * does not end keeps its object's next message waiting, and is given up in the end. A text that it resolves with
   * says, in a few words, what was done, for the status page.
   */
  processEntry?(message: ReceivedMessage, signal: AbortSignal): Promise<unknown>;
  /** Backbeat's form of the same. */
  processKafkaEntry?(message: ReceivedMessage, done: (err?: unknown) => void): void;
  /** Called once, when no message is being processed any more. */
  close?(): Promise<void>;
  /** For work that takes long: an attempt may take so long, when PROCESSOR_ATTEMPT_TIMEOUT_MS is shorter. */
  readonly attemptTimeoutMs?: number;
}

/** What an extension that is a function gets. */
export interface ExtensionApi {
  readonly QueuePopulatorExtension: typeof QueuePopulatorExtension;
  readonly PermanentError: typeof PermanentError;
  readonly describeObject: typeof import('./object-event.js').describeObject;
  readonly parseEntry: typeof import('./queue-populator-extension.js').parseEntry;
  /** `@aws-sdk/client-s3`, for the commands that the clients send. */
  readonly s3: typeof import('@aws-sdk/client-s3');
}

export type ExtensionFactory = (api: ExtensionApi) => Extension;
