/** A real browser for tests: Debian's Chromium, or what CHROMIUM names, without a window, driven over its DevTools pipe. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { TestContext } from 'node:test';
import { withDeadline } from '../deadline.js';
import { temporaryFolder } from './temporary-folder.js';
import { findInPath, skipReason } from './test-server.js';

const PROGRAM = process.env.CHROMIUM || findInPath('chromium');
const REASON = 'needs chromium in PATH; CHROMIUM may name another program';
const ANSWER_MS = 60_000;

/** Why tests that need it cannot run here, as node:test's `skip` takes it; `false` when they can, or must. */
export const chromiumMissing: string | false = skipReason(PROGRAM !== undefined, REASON);

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

/** A page of a browser of its own, which ends with the test. */
export class BrowserPage {
  /** Rejects when it has. */
  readonly #ended: Promise<never>;
  readonly #input: Writable;
  readonly #awaited = new Map<number, (message: Message) => void>();
  /** What the browser complained of: refused contents, failed loads, errors of scripts. */
  readonly complaints: string[] = [];
  #loaded: (() => void) | undefined;
  #session: string | undefined;
  #nextId = 0;

  private constructor(child: ChildProcess) {
    this.#ended = once(child, 'close').then(() => {
      throw new Error('the browser has ended');
    });
    // Whoever waits for an answer is told; that nobody does is no fault.
    this.#ended.catch(() => undefined);
    const [, , , input, output] = child.stdio;
    this.#input = input as Writable;
    this.#input.on('error', () => undefined);
    let rest = '';
    (output as Readable).setEncoding('utf8').on('data', (text: string) => {
      const messages = (rest + text).split('\0');
      rest = messages.pop() ?? '';
      for (const message of messages) this.#receive(JSON.parse(message) as Message);
    });
  }

  /** @param size of the window, in CSS pixels; a phone's by default */
  static async open(t: TestContext, size = { width: 390, height: 844 }): Promise<BrowserPage> {
    if (PROGRAM === undefined) throw new Error(REASON);
    const profile = await temporaryFolder(t);
    // No sandbox, as root has none; what is shown is ours.
    const args = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
    ];
    const child = spawn(PROGRAM, [...args, `--user-data-dir=${profile}`, '--remote-debugging-pipe'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      env: { ...process.env, HOME: profile },
    });
    const page = new BrowserPage(child);
    t.after(async () => {
      const closed = once(child, 'close');
      await page.#ask('Browser.close').catch(() => child.kill('SIGKILL'));
      await closed;
    });
    const { targetId } = await page.#ask('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await page.#ask('Target.attachToTarget', { targetId, flatten: true });
    page.#session = String(sessionId);
    for (const domain of ['Page', 'Runtime', 'Log']) await page.#ask(`${domain}.enable`);
    await page.#ask('Emulation.setDeviceMetricsOverride', { ...size, deviceScaleFactor: 2, mobile: true });
    return page;
  }

  /** Resolves when the page and all that it names is loaded. */
  async goTo(url: string): Promise<void> {
    const loaded = new Promise<void>(resolve => {
      this.#loaded = resolve;
    });
    await this.#ask('Page.navigate', { url });
    await withDeadline(loaded, ANSWER_MS, `loading ${url}`);
  }

  /** The value of an expression, or of what it promises, in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.#ask('Runtime.evaluate', {
      expression,
      returnByValue: true,
      awaitPromise: true,
    });
    return (result as { readonly value?: unknown }).value;
  }

  /** The whole page as a PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.#ask('Page.captureScreenshot', { captureBeyondViewport: true });
    return Buffer.from(String(data), 'base64');
  }

  async #ask(method: string, params: object = {}): Promise<Readonly<Record<string, unknown>>> {
    const id = (this.#nextId += 1);
    const answer = new Promise<Message>(resolve => this.#awaited.set(id, resolve));
    const session =
      this.#session === undefined || method === 'Browser.close' ? {} : { sessionId: this.#session };
    this.#input.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    const { result = {}, error } = await withDeadline(Promise.race([answer, this.#ended]), ANSWER_MS, method);
    this.#awaited.delete(id);
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  #receive(message: Message): void {
    const { id, method, params = {} } = message;
    if (id !== undefined) this.#awaited.get(id)?.(message);
    else if (method === 'Page.loadEventFired') this.#loaded?.();
    else if (method === 'Log.entryAdded') this.complaints.push(JSON.stringify(params.entry));
    else if (method === 'Runtime.exceptionThrown')
      this.complaints.push(JSON.stringify(params.exceptionDetails));
  }
}
