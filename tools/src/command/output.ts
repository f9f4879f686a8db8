/**
 * What a verb says. Results go to standard output, as lines for people or, with `--json`, as one JSON object a line;
 * progress goes to standard error, as a bar on a terminal and as a plain line now and then elsewhere.
 */
import { Presets, SingleBar } from 'cli-progress';

/** Time between two plain lines of progress. */
const LINE_EVERY_MS = 10_000;

/** A result for programs. Its `event` says what it tells of. */
export interface Result {
  readonly event: string;
  readonly [member: string]: unknown;
}

export interface OutputStreams {
  readonly stdout: Pick<NodeJS.WriteStream, 'write'>;
  readonly stderr: NodeJS.WriteStream;
}

export class Output {
  readonly #streams: OutputStreams;
  readonly #json: boolean;
  #progress: Progress | undefined;

  constructor(json: boolean, streams: OutputStreams = process) {
    this.#streams = streams;
    this.#json = json;
  }

  /** Tells a result: `line` to people, the whole of it to programs. */
  result(result: Result, line: string): void {
    this.#progress?.clear();
    this.#streams.stdout.write(`${this.#json ? JSON.stringify(result) : line}\n`);
  }

  /** Begins to show how far a phase is, until the next begins or `endProgress` is called. */
  progress(phase: string, total?: number): Progress {
    this.endProgress();
    this.#progress = new Progress(phase, total, this.#streams.stderr);
    return this.#progress;
  }

  endProgress(): void {
    this.#progress?.end();
    this.#progress = undefined;
  }
}

/** How far one phase is. */
export class Progress {
  readonly #phase: string;
  readonly #total: number | undefined;
  readonly #stderr: NodeJS.WriteStream;
  readonly #bar: SingleBar | undefined;
  #done = 0;
  #saidAt = Date.now();

  constructor(phase: string, total: number | undefined, stderr: NodeJS.WriteStream) {
    this.#phase = phase;
    this.#total = total;
    this.#stderr = stderr;
    if (!stderr.isTTY) return;
    const format =
      total === undefined
        ? '{phase} | {value}'
        : '{phase} {bar} {percentage}% | {value} of {total} | {eta_formatted} left';
    this.#bar = new SingleBar({ format, stream: stderr, hideCursor: true }, Presets.shades_classic);
    this.#bar.start(total ?? 0, 0, { phase });
  }

  add(count = 1): void {
    this.#done += count;
    if (this.#bar !== undefined) this.#bar.update(this.#done);
    else if (Date.now() - this.#saidAt >= LINE_EVERY_MS) this.#say();
  }

  /** Makes room for a line of results. */
  clear(): void {
    if (this.#bar !== undefined) this.#stderr.write('\r\x1b[K');
  }

  end(): void {
    this.#bar?.stop();
  }

  #say(): void {
    this.#saidAt = Date.now();
    const of = this.#total === undefined ? '' : ` of ${this.#total}`;
    this.#stderr.write(`${this.#phase}: ${this.#done}${of}\n`);
  }
}
