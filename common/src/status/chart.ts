/** A chart of the last hour, as SVG. Colours and widths are the style sheet's. */
import { type ChartSpec, type Line, SAMPLE_EVERY_MS, SAMPLES, type Unit } from './history.js';
import { markup, type Markup } from './markup.js';

const WIDTH = 400;
const HEIGHT = 100;
const MINUTES = (SAMPLES * SAMPLE_EVERY_MS) / 60_000;

export function chart({ title, unit }: ChartSpec, lines: readonly Line[]): Markup {
  const known = lines.flatMap(({ values }) => values.filter(Number.isFinite));
  const top = niceTop(Math.max(0, ...known));
  const rows = lines.map(
    ({ name, values }, index) =>
      markup`<li>
        <span class="key line-${index}"></span>${name}
        <b>${valueText(values.findLast(Number.isFinite), unit)}</b>
      </li>`,
  );
  const paths = lines.map(
    ({ values }, index) => markup`<path class="line line-${index}" d="${pathOf(values, top)}"></path>`,
  );
  return markup`<figure>
    <figcaption>${title}</figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}, the last hour">
      <path class="grid" d="M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}"></path>
      ${paths}
      <text x="4" y="14">${valueText(top, unit)}</text>
      ${known.length === 0 ? markup`<text x="${WIDTH / 2}" y="${HEIGHT / 2 - 8}" text-anchor="middle">nothing yet</text>` : undefined}
    </svg>
    <div class="axis"><span>${MINUTES} min ago</span><span>now</span></div>
    <ul>
      ${rows}
    </ul>
  </figure>`;
}

/** One move and its lines for each stretch without a gap; a value alone is a dot. */
function pathOf(values: readonly number[], top: number): string {
  let path = '';
  let isDrawing = false;
  for (const [index, value] of values.entries()) {
    if (!Number.isFinite(value)) {
      isDrawing = false;
      continue;
    }
    const x = ((index / (SAMPLES - 1)) * WIDTH).toFixed(1);
    const y = (HEIGHT - (value / top) * HEIGHT).toFixed(1);
    path += isDrawing ? `L${x} ${y}` : `M${x} ${y}h0`;
    isDrawing = true;
  }
  return path;
}

/** 1, 2 or 5 times a power of ten. */
function niceTop(most: number): number {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * ([1, 2, 5].find(step => step * power >= most) ?? 10);
}

const BYTES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

export function valueText(value: number | undefined, unit: Unit): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  switch (unit) {
    case 'seconds':
      return value < 1 ? `${short(value * 1000)} ms` : `${short(value)} s`;
    case 'bytes':
      return bytesText(value);
    case 'bytes per second':
      return `${bytesText(value)}/s`;
    case 'per second':
      return `${short(value)}/s`;
    case 'records':
    case 'messages':
      return `${short(value)} ${unit}`;
  }
}

function bytesText(value: number): string {
  const step = value < 1 ? 0 : Math.min(BYTES.length - 1, Math.floor(Math.log10(value) / 3));
  return `${short(value / 1000 ** step)} ${BYTES[step] ?? 'B'}`;
}

/** Three digits that count, and never fewer than the whole part has. */
function short(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
