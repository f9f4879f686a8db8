/** Shows a copy's progress on a terminal, and nothing where there is none. */
import { Presets, SingleBar } from 'cli-progress';
import type { CopyObserver } from './copy.js';

export class ProgressBar implements CopyObserver {
  readonly #bar = new SingleBar(
    {
      format: '{phase} {bar} {percentage}% | {value} of {total} entries | {eta_formatted} left',
      stream: process.stderr,
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  #running = false;

  phase(name: string, done: number, total: number): void {
    this.end();
    if (name === 'counting') return;
    this.#bar.start(total, done, { phase: name });
    this.#running = true;
  }

  done(entries: number): void {
    this.#bar.update(entries);
  }

  end(): void {
    if (this.#running) this.#bar.stop();
    this.#running = false;
  }
}
