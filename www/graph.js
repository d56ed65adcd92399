// The graph of the latency page: one dot for each round trip, the newest at the
// right, joined by a line as long as the connection lasted.

const MARGIN = { top: 10, right: 10, bottom: 8, left: 44 };
const LINES = 4;

/** Draws the samples, of which at most `capacity` fit, in the colours of the page. */
export function draw(canvas, samples, capacity) {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext('2d');
  context.scale(ratio, ratio);

  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(`--${name}`);
  const top = ceiling(Math.max(1, highest(samples)));
  const x = (i) =>
    width - MARGIN.right - ((samples.length - 1 - i) * (width - MARGIN.left - MARGIN.right)) / (capacity - 1);
  const y = (time) => height - MARGIN.bottom - Math.min(time / top, 1) * (height - MARGIN.top - MARGIN.bottom);

  context.font = '12px system-ui, sans-serif';
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  context.lineWidth = 1;
  for (let i = 0; i <= LINES; i += 1) {
    const time = (top * i) / LINES;
    context.strokeStyle = colour('line');
    context.beginPath();
    context.moveTo(MARGIN.left, Math.round(y(time)) + 0.5);
    context.lineTo(width - MARGIN.right, Math.round(y(time)) + 0.5);
    context.stroke();
    context.fillStyle = colour('quiet');
    context.fillText(String(Number(time.toPrecision(3))), MARGIN.left - 8, y(time));
  }

  context.lineWidth = 2;
  context.lineJoin = 'round';
  for (const [i, sample] of samples.entries()) {
    if (!sample) continue;
    context.strokeStyle = context.fillStyle = colour(sample.transport);
    const before = samples[i - 1];
    if (before) {
      context.beginPath();
      context.moveTo(x(i - 1), y(before.time));
      context.lineTo(x(i), y(sample.time));
      context.stroke();
    }
    if (sample.time > top) beyond(context, x(i), y(top), sample.time);
    else dot(context, x(i), y(sample.time), i === samples.length - 1 ? 4 : 2);
  }
}

/** The first message of a connection takes long, and must not flatten all others. */
function highest(samples) {
  const times = samples.filter(Boolean).map(({ time }) => time).sort((a, b) => a - b);
  // Rounded down, so that of a few, too, the highest does not count.
  const quantile = (part) => times[Math.max(Math.floor(part * times.length) - 1, 0)] ?? 0;
  return Math.min(Math.max(3 * quantile(0.5), quantile(0.9)), quantile(1));
}

function dot(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

/** An arrow beyond the graph's upper end, with the time. */
function beyond(context, x, y, time) {
  context.beginPath();
  context.moveTo(x - 5, y + 4);
  context.lineTo(x, y - 5);
  context.lineTo(x + 5, y + 4);
  context.fill();
  context.fillText(time.toFixed(0), x - 8, y + 4);
}

/** The next round number that also divides well into four. */
function ceiling(time) {
  const power = 10 ** Math.floor(Math.log10(time));
  return power * [1, 2, 4, 6, 8, 10].find((step) => time <= step * power);
}
