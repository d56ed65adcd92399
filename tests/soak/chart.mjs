// Lines over time, as an SVG by hand.

const WIDTH = 900;
const HEIGHT = 240;
const LEFT = 70;
const RIGHT = 20;
const TOP = 40;
const BOTTOM = 45;

/** A drawing of panels, each `{ title, unit, points: [[minutes, value]] }`, one below the other. */
export function chart(panels) {
  const height = HEIGHT * panels.length;
  const drawn = panels.map((panel, index) => `<g transform="translate(0 ${index * HEIGHT})">${draw(panel)}</g>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`,
    ' font-family="sans-serif" font-size="12">',
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    ...drawn,
    '</svg>\n',
  ].join('\n');
}

function draw({ title, unit, points }) {
  const [across, up] = [axis(points.map(([x]) => x)), axis(points.map(([, y]) => y))];
  const x = (value) => LEFT + (value / across.end) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (value / up.end) * (HEIGHT - TOP - BOTTOM);
  const path = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
  const line = (from, to) => `<path d="M${from}L${to}" stroke="#ddd"/>`;
  const text = (at, anchor, label) => `<text x="${at[0]}" y="${at[1]}" text-anchor="${anchor}">${label}</text>`;
  const rows = up.ticks.flatMap((value) => [
    line(`${LEFT} ${y(value)}`, `${WIDTH - RIGHT} ${y(value)}`),
    text([LEFT - 8, y(value) + 4], 'end', value),
  ]);
  const columns = across.ticks.flatMap((value) => [
    line(`${x(value)} ${TOP}`, `${x(value)} ${HEIGHT - BOTTOM}`),
    text([x(value), HEIGHT - BOTTOM + 16], 'middle', value),
  ]);
  return [
    text([LEFT, TOP - 16], 'start', `${title} (${unit})`),
    text([WIDTH - RIGHT, HEIGHT - 10], 'end', 'time (minutes)'),
    ...rows,
    ...columns,
    `<polyline points="${path}" fill="none" stroke="#1f6feb" stroke-width="1.5"/>`,
  ].join('\n');
}

/** From zero to a round number beyond the largest value, in four to ten steps. */
function axis(values) {
  const largest = Math.max(...values, 1e-9);
  const power = 10 ** Math.floor(Math.log10(largest));
  const step = [power / 5, power / 2, power, power * 2].find((size) => largest / size <= 8);
  const count = Math.ceil(largest / step);
  const ticks = Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(6)));
  return { ticks, end: count * step };
}
