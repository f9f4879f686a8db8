/** What a run prints: steps as they go, checks as they pass, and the figures at the end. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';

const MARKS = ['<!-- swarm figures: begin -->', '<!-- swarm figures: end -->'];

export class Transcript {
  #start = Date.now();
  #passed = 0;
  #figures = [];

  say(line) {
    const seconds = Math.round((Date.now() - this.#start) / 1000);
    console.log(`[${String(seconds).padStart(4)} s] ${line}`);
  }

  async step(title, work) {
    this.say(`--- ${title}`);
    return work();
  }

  /** Something that had to be true. Throws when it is not, which ends the run. */
  check(what, condition, detail = '') {
    assert.ok(condition, `${what}${detail && `: ${detail}`}`);
    this.#passed += 1;
    this.say(`OK  ${what}${detail && ` (${detail})`}`);
  }

  figure(what, value) {
    this.#figures.push({ what, value });
    this.say(`    ${what}: ${value}`);
  }

  get passed() {
    return this.#passed;
  }

  get seconds() {
    return Math.round((Date.now() - this.#start) / 1000);
  }

  /** The figures as a table in Markdown. */
  table() {
    return [
      '| what | figure |',
      '| --- | --- |',
      ...this.#figures.map(f => `| ${f.what} | ${f.value} |`),
    ].join('\n');
  }

  /** Puts the table between the marks of a page. */
  async writeTo(page) {
    const text = await readFile(page, 'utf8');
    const [from, to] = MARKS.map(mark => text.indexOf(mark));
    assert.ok(from >= 0 && to > from, `${page} lacks the marks ${MARKS.join(' and ')}`);
    await writeFile(page, `${text.slice(0, from + MARKS[0].length)}\n\n${this.table()}\n\n${text.slice(to)}`);
  }
}
