/** The tables of the reference page, made from the tables in code. */
import { ERRORS } from '@zenko-modules/common/errors';
import type { SettingsTable } from '@zenko-modules/common/settings';

/** One settings table; rows that an earlier group has shown are left out. */
export interface SettingsGroup {
  readonly title: string;
  readonly settings: SettingsTable;
}

export function settingsTables(groups: readonly SettingsGroup[]): string {
  const shown = new Set<string>();
  return groups
    .map(({ title, settings }) => {
      const rows = Object.entries(settings)
        .filter(([name]) => !shown.has(name))
        .map(([name, row]) => {
          shown.add(name);
          const value = row.default === undefined ? 'none' : `\`${row.default}\``;
          return `| \`${name}\` | ${value} | ${row.meaning} | ${row.accepts} |`;
        });
      return table(title, ['setting', 'default', 'meaning', 'accepts'], rows);
    })
    .filter(text => text !== '')
    .join('\n\n');
}

export function errorTable(): string {
  const rows = Object.entries(ERRORS).map(
    ([name, { code, description, retriable }]) =>
      `| \`${name}\` | ${code} | ${description} | ${retriable ? 'yes' : 'no'} |`,
  );
  return table('', ['error', 'status', 'meaning', 'try again'], rows);
}

export interface MetricRow {
  readonly name: string;
  readonly type: string;
  readonly help: string;
}

export function metricTable(metrics: readonly MetricRow[]): string {
  const rows = metrics.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`);
  return table('', ['metric', 'type', 'meaning'], rows);
}

export interface OperationRow {
  readonly name: string;
  readonly level: string;
}

/** The operations of S3 by what they are about. */
export function operationList(operations: readonly OperationRow[]): string {
  const levels = [...new Set(operations.map(({ level }) => level))];
  return levels
    .map(level => {
      const names = operations.filter(row => row.level === level).map(({ name }) => `\`${name}\``);
      return `- ${level}: ${[...new Set(names)].sort().join(', ')}`;
    })
    .join('\n');
}

function table(title: string, head: readonly string[], rows: readonly string[]): string {
  if (rows.length === 0) return '';
  const lines = [`| ${head.join(' | ')} |`, `| ${head.map(() => '---').join(' | ')} |`, ...rows];
  return (title === '' ? lines : [`**${title}**`, '', ...lines]).join('\n');
}

const marks = (name: string): readonly [string, string] => [
  `<!-- ${name}: begin -->`,
  `<!-- ${name}: end -->`,
];

/** `page` with the part between the marks of `name` replaced. Throws when the marks are missing. */
export function replaceBetweenMarks(page: string, name: string, content: string): string {
  const [begin, end] = marks(name);
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the page lacks the marks ${begin} and ${end}`);
  return `${page.slice(0, from + begin.length)}\n\n${content}\n\n${page.slice(to)}`;
}
