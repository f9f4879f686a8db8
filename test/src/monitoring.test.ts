/** What `monitoring/` asks for exists, and each alert has its place in the page for operators. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { parse } from 'yaml';
import { metrics } from './support/reference-page.js';

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const read = (file: string): Promise<string> => readFile(new URL(`../../${file}`, import.meta.url), 'utf8');

async function rules(): Promise<Rule[]> {
  const { groups } = parse(await read('monitoring/rules.yml')) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(group => group.rules);
}

/** The names of series in a query: what is left of it without strings, selectors, ranges, labels and functions. */
function seriesIn(query: string): string[] {
  const bare = query
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, '')
    .replace(/\b(by|on|without)\s*\([^)]*\)/g, '');
  const words = bare.match(/[a-zA-Z_:][\w:]*(?!\w*\s*\()/g) ?? [];
  return words.filter(word => !['and', 'or', 'unless', 'offset', 'm', 'h'].includes(word));
}

test('every query is one for a metric that a part has', async () => {
  const known = new Set(['up']);
  for (const { name, type } of await metrics()) {
    known.add(name);
    if (type === 'histogram') for (const part of ['bucket', 'sum', 'count']) known.add(`${name}_${part}`);
  }
  const all = await rules();
  for (const { record } of all) if (record !== undefined) known.add(record);
  const { panels } = JSON.parse(await read('monitoring/dashboard.json')) as { panels: Panel[] };
  const queries = [
    ...all.map(({ alert, record, expr }) => ({ place: alert ?? record ?? '', expr })),
    ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ place: title, expr }))),
  ];
  assert.ok(queries.length > 40);
  for (const { place, expr } of queries) {
    const series = seriesIn(expr);
    assert.ok(series.length > 0, `${place}: ${expr}`);
    for (const name of series) assert.ok(known.has(name), `${place}: there is no ${name} (${expr})`);
  }
});

test('every alert has a section in docs/operating.md that says what to do, and a case in which it fires', async () => {
  const page = await read('docs/operating.md');
  const cases = await read('monitoring/rules.test.yml');
  for (const { alert } of await rules()) {
    if (alert === undefined) continue;
    assert.match(page, new RegExp(`^### ${alert}\n\n\\S`, 'm'));
    assert.match(cases, new RegExp(`alertname: ${alert}\n +exp_alerts:`), `${alert} in rules.test.yml`);
  }
});
