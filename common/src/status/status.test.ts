import assert from 'node:assert/strict';
import http from 'node:http';
import test, { type TestContext } from 'node:test';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { createRegistry, startProbeServer } from '../probe-server.js';
import { BrowserPage, chromiumMissing } from '../testing/chromium.js';
import { LastHandled } from './handled.js';
import { type ChartSpec, History, SAMPLE_EVERY_MS, SAMPLES } from './history.js';
import { chart, valueText } from './chart.js';
import { markup } from './markup.js';
import { timeText } from './page.js';
import { Follower } from './reading.js';
import type { StatusOptions } from './status.js';

/** Names that would be markup, script, or another text, where they are not escaped. */
const HOSTILE = [
  '<script>document.title = "taken"</script>',
  '"><img src=x onerror="document.title = 1">',
  "'onmouseover='document.title = 2",
  '&lt;b&gt; & </td></table></main>',
  'turned \u202egpj.exe',
  'zero\0 and \u001b[31mred',
];

async function startStatus(t: TestContext, status: StatusOptions, reason?: string): Promise<string> {
  const server = await startProbeServer({
    address: '127.0.0.1',
    port: 0,
    portSetting: 'DATA_PROBE_PORT',
    registry: createRegistry(),
    ready: () => (reason === undefined ? Promise.resolve() : Promise.reject(new Error(reason))),
    status,
  });
  t.after(() => server.close());
  return `http://127.0.0.1:${server.port}`;
}

test('a rate, a quantile and gauges are read out of metrics, with gaps where nothing can be said', async () => {
  const registers = [new Registry()];
  const requests = new Counter({ name: 'requests', help: '-', labelNames: ['status'], registers });
  const seconds = new Histogram({
    name: 'seconds',
    help: '-',
    labelNames: ['by'],
    buckets: [1, 2, 4],
    registers,
  });
  const depth = new Gauge({ name: 'depth', help: '-', labelNames: ['of'], registers });
  const followers = {
    all: new Follower({ kind: 'rate', metric: 'requests' }),
    failed: new Follower({ kind: 'rate', metric: 'requests', where: { status: /^5/ } }),
    median: new Follower({ kind: 'quantile', metric: 'seconds', quantile: 0.5 }),
    sum: new Follower({ kind: 'sum', metric: 'depth' }),
    most: new Follower({ kind: 'max', metric: 'depth' }),
    none: new Follower({ kind: 'rate', metric: 'nothing' }),
  };
  const next = async (atMs: number): Promise<Record<string, number>> => {
    const metrics = (await registers[0]?.getMetricsAsJSON()) ?? [];
    return Object.fromEntries(
      Object.entries(followers).map(([name, follower]) => [name, follower.next(metrics, atMs)]),
    );
  };
  const gap = { all: NaN, failed: NaN, median: NaN, none: NaN };
  assert.deepEqual(await next(0), { ...gap, sum: 0, most: NaN });
  requests.inc({ status: '200' }, 30);
  requests.inc({ status: '503' }, 10);
  for (const value of [0.5, 0.5, 1.5, 1.5, 3]) seconds.observe({ by: String(value) }, value);
  depth.set({ of: 'a' }, 3);
  depth.set({ of: 'b' }, 4);
  assert.deepEqual(await next(10_000), { all: 4, failed: 1, median: 1.25, sum: 7, most: 4, none: NaN });
  // Without any event there is a rate, and no quantile.
  assert.deepEqual(await next(20_000), { all: 0, failed: 0, median: NaN, sum: 7, most: 4, none: NaN });
  requests.reset();
  seconds.reset();
  assert.deepEqual(await next(30_000), { ...gap, sum: 7, most: 4 }, 'counters that begin anew');
});

test('a history is an hour, however long it is kept, and oldest first', () => {
  assert.equal(SAMPLES * SAMPLE_EVERY_MS, 3_600_000);
  const spec: ChartSpec = {
    title: 'Depth',
    unit: 'messages',
    series: [{ name: 'depth', reading: { kind: 'sum', metric: 'depth' } }],
  };
  const history = new History([spec]);
  const metrics = (value: number): Parameters<History['add']>[0] => [
    { name: 'depth', values: [{ value, labels: {} }] },
  ];
  for (let at = 0; at < SAMPLES + 10; at += 1) history.add(at === SAMPLES ? undefined : metrics(at), at);
  const [line] = history.charts()[0]?.lines ?? [];
  assert.equal(line?.values.length, SAMPLES);
  assert.deepEqual(line.values.slice(0, 2), [10, 11]);
  assert.deepEqual(line.values.slice(-11, -8), [SAMPLES - 1, NaN, SAMPLES + 1]);
});

test('a chart is drawn to its top, with a gap where samples are missing', () => {
  const spec: ChartSpec = { title: '<Title>', unit: 'seconds', series: [] };
  const values = Array.from({ length: SAMPLES }, () => NaN);
  values.splice(0, 3, 0, 0.2, 0.1);
  values[SAMPLES - 1] = 0.05;
  const drawn = chart(spec, [{ name: 'a & b', values }]).toString();
  assert.match(drawn, /d="M0\.0 100\.0h0L1\.7 0\.0L3\.3 50\.0M400\.0 75\.0h0"/);
  assert.match(drawn, /&lt;Title&gt;[^]*a &amp; b\s*<b>50 ms<\/b>/);
  assert.match(chart(spec, [{ name: 'a', values: [] }]).toString(), /nothing yet/);
  const texts = [
    valueText(0, 'bytes'),
    valueText(0.4, 'bytes per second'),
    valueText(268_435_456, 'bytes'),
    valueText(1.5, 'seconds'),
    valueText(1234, 'per second'),
    valueText(NaN, 'records'),
  ];
  assert.deepEqual(texts, ['0 B', '0.4 B/s', '268 MB', '1.5 s', '1234/s', '–']);
});

test('what a template is given is text', () => {
  for (const name of HOSTILE) {
    const text = markup`<p title="${name}">${[name]}</p>`.toString();
    assert.match(text, /^<p title="[^<>"']*">[^<>"']*<\/p>$/, name);
    // eslint-disable-next-line no-control-regex -- they must not be there
    assert.doesNotMatch(text, /[\0-\x1f\u202e]/);
  }
});

test('the last handled are so many, newest first, and none takes more than its share', () => {
  const handled = new LastHandled();
  for (let at = 0; at < 1000; at += 1)
    handled.add({ at: new Date(at), bucket: 'b', key: 'k'.repeat(5000), what: String(at) });
  const list = handled.list();
  assert.deepEqual([list.length, list[0]?.what, list.at(-1)?.what], [50, '999', '950']);
  assert.ok((list[0]?.key.length ?? 0) < 1200);
});

const TABLES = (): ReturnType<NonNullable<StatusOptions['tables']>> => [
  {
    title: 'Last handled',
    columns: ['time', 'bucket', 'object', 'what was done'],
    rows: HOSTILE.map(name => [timeText(new Date(0)), 'b', name, 'tagged hello=world']),
    empty: '',
  },
];

test('the page tells health, parts and tables, forbids all that is not on it, and takes GET only', async t => {
  const other = http.createServer((_req, res) => {
    res.writeHead(503).end(JSON.stringify({ status: 'not ready', reason: '<b>full</b>' }));
  });
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
  t.after(() => other.close());
  const { port } = other.address() as { port: number };
  const peers = [
    { name: 'data-module', host: '127.0.0.1', port },
    { name: 'gone', host: '127.0.0.1', port: 1 },
  ];
  const url = await startStatus(
    t,
    { part: 'metadata-module', charts: [], tables: TABLES, peers },
    'cannot reach mongodb://operator:hunter2@db-1:27017/?tls=true',
  );
  const answer = await fetch(`${url}/_/status`);
  const page = await answer.text();
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8');
  const policy = answer.headers.get('content-security-policy') ?? '';
  assert.match(
    policy,
    /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src 'self'/,
  );
  assert.doesNotMatch(policy, /unsafe|\*|http/);
  assert.match(page, /<h1>metadata-module: <span class="bad">not ready, cannot reach mongodb:\/\/db-1:27017/);
  assert.doesNotMatch(page, /operator|hunter2/);
  assert.match(
    page,
    /data-module<\/a><\/td>\s*<td[^>]*><span class="bad">not ready, &lt;b&gt;full&lt;\/b&gt;<\/span>/,
  );
  assert.match(page, /gone<\/a><\/td>\s*<td[^>]*><span class="bad">no answer: /);
  assert.equal(page.match(/<script/g)?.length, 1);
  assert.doesNotMatch(page, /(src|href)="(?!\/|#|data:,|http:\/\/127\.0\.0\.1:\d+\/_\/status")/);
  assert.equal((await fetch(`${url}/_/status`, { method: 'POST' })).status, 405);
  const head = await fetch(`${url}/_/status`, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
});

test('what cannot be told is said, and the rest of the page stands', async t => {
  const tables = (): never => {
    throw new Error('mongodb://u:p@db is away');
  };
  const url = await startStatus(t, { part: 'populator', charts: [], tables });
  const page = await (await fetch(`${url}/_/status`)).text();
  assert.match(page, /populator: <span class="good">ready<[^]*cannot be told now: mongodb:\/\/db is away/);
});

test(
  'a browser shows hostile names as text, runs the script, and has no fault with the page',
  { skip: chromiumMissing },
  async t => {
    const url = await startStatus(t, { part: 'processor helloWorld', charts: [], tables: TABLES });
    const browser = await BrowserPage.open(t);
    await browser.goTo(`${url}/_/status`);
    const shown = (await browser.evaluate(
      `[...document.querySelectorAll('td[data-column=object]')].map(cell => cell.textContent)`,
    )) as string[];
    const visible = (name: string): string =>
      name.replace('\u202e', '\\u202e').replace('\0', '\\u0000').replace('\u001b', '\\u001b');
    assert.deepEqual(shown, HOSTILE.map(visible));
    assert.equal(await browser.evaluate('document.title'), 'processor helloWorld');
    assert.equal(await browser.evaluate('document.scripts.length + document.images.length'), 1);
    assert.equal(
      await browser.evaluate('document.documentElement.scrollWidth <= innerWidth'),
      true,
      'a phone shows it without scrolling sideways',
    );
    // What the policy refuses it does refuse, so the script and the style above were not.
    assert.deepEqual(browser.complaints, []);
    assert.equal(await browser.evaluate(`getComputedStyle(document.body).maxWidth`), '1280px');
    await browser.evaluate(
      `document.body.append(Object.assign(document.createElement('script'), { textContent: 'document.title = 3' }))`,
    );
    assert.equal(await browser.evaluate('document.title'), 'processor helloWorld');
    assert.match(browser.complaints.join(), /Content Security Policy/);
  },
);
