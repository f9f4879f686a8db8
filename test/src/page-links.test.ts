/** Links of the pages lead somewhere: to a file of the project, and to a heading of it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('../..', import.meta.url));
const FOLDERS = [
  '',
  'docs',
  'data-module',
  'metadata-module',
  'metadata-module/src/leveldowns/mongodown',
  'extensions',
];

test('every link between the pages leads to a file, and to a heading of it', () => {
  const pages = FOLDERS.flatMap(folder =>
    readdirSync(path.join(project, folder))
      .filter(name => name.endsWith('.md'))
      .map(name => path.join(folder, name)),
  );
  assert.ok(pages.length > 15, pages.join(' '));
  const dead = pages.flatMap(page =>
    linksOf(readFileSync(path.join(project, page), 'utf8'))
      .filter(link => !leadsSomewhere(page, link))
      .map(link => `${page}: ${link}`),
  );
  assert.deepEqual(dead, []);
});

function linksOf(text: string): string[] {
  const prose = text.replace(/^```.*?^```$/gms, '').replace(/`[^`]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter(link => !/^[a-z]+:/.test(link));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [file = '', heading] = link.split('#');
  const target = path.join(project, file === '' ? page : path.join(path.dirname(page), file));
  if (!existsSync(target)) return false;
  return heading === undefined || headingsOf(readFileSync(target, 'utf8')).includes(heading);
}

/** As GitHub names them. */
function headingsOf(text: string): string[] {
  return [...text.replace(/^```.*?^```$/gms, '').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
