/** The status page: HTML that stands by itself, with one small script that keeps it fresh. */
import { createHash } from 'node:crypto';
import { httpUrl } from '../http-url.js';
import { chart } from './chart.js';
import type { History } from './history.js';
import { markup, Markup } from './markup.js';
import type { Health, Peer } from './peers.js';

/** Rows with the same number of cells as there are columns. */
export interface StatusTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
  /** Shown when there is no row. */
  readonly empty: string;
}

export interface PageContent {
  readonly part: string;
  readonly at: Date;
  readonly startedAt: Date;
  readonly health: Health;
  readonly peers: readonly { readonly peer: Peer; readonly health: Health }[];
  readonly charts: ReturnType<History['charts']>;
  readonly tables: readonly StatusTable[];
}

const STYLE = `
:root{color-scheme:light dark;--text:#1a1d21;--soft:#5b636d;--edge:#d4d9df;--back:#fff;--card:#f6f7f9;--good:#12753b;--bad:#b3261e;
--l0:#1f6feb;--l1:#c2410c;--l2:#7c3aed}
@media(prefers-color-scheme:dark){:root{--text:#e6e8eb;--soft:#9aa4af;--edge:#363c44;--back:#14171a;--card:#1d2125;--good:#4cc38a;
--bad:#ff7b72;--l0:#6cb0ff;--l1:#ff9f5a;--l2:#c4a1ff}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:80rem;font:16px/1.45 system-ui,sans-serif;color:var(--text);background:var(--back)}
h1{font-size:1.4rem;margin:0}
h2{font-size:1.05rem;margin:1.5rem 0 .4rem}
p{margin:.2rem 0}
a{color:inherit}
small,.axis,figure ul,footer{color:var(--soft);font-size:.85rem}
.good{color:var(--good)}
.bad{color:var(--bad);font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1rem;margin-top:1rem}
figure{margin:0;padding:.75rem;border:1px solid var(--edge);border-radius:.5rem;background:var(--card)}
figcaption{font-weight:600;margin-bottom:.4rem}
svg{display:block;width:100%;overflow:visible}
svg text{font-size:14px;fill:var(--soft)}
figure ul{list-style:none;margin:.3rem 0 0;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1rem}
figure b{color:var(--text);font-variant-numeric:tabular-nums}
.grid{stroke:var(--edge);fill:none}
.line{fill:none;stroke-width:2;stroke-linecap:round;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.key{display:inline-block;width:1.2rem;border-top:3px solid;vertical-align:middle;margin-right:.4rem}
.line-0{stroke:var(--l0);border-color:var(--l0)}
.line-1{stroke:var(--l1);border-color:var(--l1)}
.line-2{stroke:var(--l2);border-color:var(--l2)}
.axis{display:flex;justify-content:space-between}
table{width:100%;border-collapse:collapse;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--edge);overflow-wrap:anywhere}
th{color:var(--soft);font-weight:600}
#stale{display:none}
.stale #stale{display:block}
.stale main{opacity:.5}
@media(max-width:40rem){
thead{display:none}
tr{display:block;border-bottom:1px solid var(--edge);padding:.3rem 0}
td{display:grid;grid-template-columns:7.5rem 1fr;border:0;padding:.1rem 0}
td::before{content:attr(data-column);color:var(--soft)}
}
`;

const SCRIPT = `
setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(10000) });
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    document.querySelector('main').replaceWith(page.querySelector('main'));
    document.body.classList.remove('stale');
  } catch {
    document.body.classList.add('stale');
  }
}, 15000);
`;

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Nothing but what stands on the page itself is run or shown, and no other page may frame it. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    `script-src ${hashOf(SCRIPT)}`,
    `style-src ${hashOf(STYLE)}`,
    "connect-src 'self'",
    // The icon is an empty one of the page's own: no browser asks for another.
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

export function page(content: PageContent): string {
  const { part, at, startedAt, health, peers, charts, tables } = content;
  return markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${part}</title>
        <link rel="icon" href="data:," />
        <style>${new Markup(STYLE)}</style>
      </head>
      <body>
        <p id="stale" class="bad" role="status">This part does not answer: what is shown is old.</p>
        <main>
          <h1>${part}: ${healthMark(health)}</h1>
          <small>${timeText(at)}, running since ${timeText(startedAt)}</small>
          ${peers.length === 0 ? undefined : peerTable(peers)}
          <section class="charts">${charts.map(({ spec, lines }) => chart(spec, lines))}</section>
          ${tables.map(table)}
        </main>
        <footer>
          <p><a href="/metrics">metrics</a> · <a href="/_/ready">ready</a></p>
        </footer>
        <script>${new Markup(SCRIPT)}</script>
      </body>
    </html>
`.toString();
}

function healthMark({ isReady, text }: Health): Markup {
  return markup`<span class="${isReady ? 'good' : 'bad'}">${text}</span>`;
}

function peerTable(peers: PageContent['peers']): Markup {
  const rows = peers.map(
    ({ peer, health }) =>
      markup`<tr>
        <td data-column="part"><a href="${httpUrl(peer.host, peer.port)}/_/status">${peer.name}</a></td>
        <td data-column="health">${healthMark(health)}</td>
      </tr>`,
  );
  return markup`<h2>Parts</h2>
    <table>
      <thead>
        <tr>
          <th>part</th>
          <th>health</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>`;
}

function table({ title, columns, rows, empty }: StatusTable): Markup {
  if (rows.length === 0)
    return markup`<h2>${title}</h2>
      <p>${empty}</p>`;
  const body = rows.map(
    row =>
      markup`<tr>
        ${row.map((cell, index) => markup`<td data-column="${columns[index]}"><span>${cell}</span></td>`)}
      </tr> `,
  );
  return markup`<h2>${title}</h2>
    <table>
      <thead>
        <tr>
          ${columns.map(name => markup`<th>${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${body}
      </tbody>
    </table>`;
}

/** By the clock of the part, in UTC. */
export function timeText(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
