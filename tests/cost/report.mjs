// The figures as tables.

import { priceOfMany } from './many.mjs';
import { HOUR, billed, month } from '#dormouse-test/prices.mjs';

const transports = { websocket: 'WebSocket', polling: 'polling' };

/** Whom a row is about. */
export function title({ server, transport, revisions }) {
  return `${server}, revision ${revisions.join(' and ')}, ${transports[transport]}`;
}

/** What one object with such clients does in an hour. */
export function hourly(results) {
  const [whom, ...what] = ['in an hour, one object of', 'clients', 'woken', 'requests', 'messages'];
  const head = [whom, ...what, 'alarms', 'rows written', 'read', 'awake'];
  const rows = results.map(({ scenario, spent }) => {
    const inAnHour = (count) => grouped((count / spent.time) * HOUR);
    const { rowsWritten, rowsRead, awake } = billed(spent);
    return [
      title(scenario),
      grouped(scenario.count),
      ...[spent.wakes, spent.fetches, spent.messages, spent.alarms].map(inAnHour),
      ...[rowsWritten, rowsRead].map(inAnHour),
      `${inAnHour(awake / 1000)} s`,
    ];
  });
  return table(head, rows);
}

/** What a million such clients cost in a month. */
export function monthly(results) {
  const [whom, ...parts] = ['in a month, a million of', 'in one object', 'requests', 'rows', 'awake'];
  const head = [whom, ...parts, 'Worker', 'together', '(10 s more)'];
  const rows = results.map(({ scenario, spent }) => {
    const { requests, rows, duration, worker, total, pessimistic } = month(spent, scenario.count);
    const dollars = [requests, rows, duration, worker, total, pessimistic].map((sum) => `$${grouped(sum)}`);
    return [title(scenario), grouped(scenario.count), ...dollars];
  });
  return table(head, rows);
}

/** What a thousand messages by WebSocket write. */
export function talked(talks) {
  const head = ['a thousand messages by WebSocket', 'alarms', 'rows for alarms', 'other rows', 'rows read'];
  const rows = talks.map(({ server, spent }) => [
    server,
    ...[spent.alarms, spent.alarmsSet, spent.rowsWritten, spent.rowsRead].map(grouped),
  ]);
  return table(head, rows);
}

/** What is done in many objects costs. */
export function inMany(rows) {
  const head = ['a million times', 'objects in the room', 'requests', 'rows written', 'read', 'woken', 'price'];
  const lines = rows.map((row) => {
    const { what, objects, times, spent } = row;
    const { requests, rowsWritten, rowsRead } = billed(spent);
    const each = [requests, rowsWritten, rowsRead, spent.wakes].map((count) => grouped(count / times));
    return [what, grouped(objects), ...each, `$${grouped(priceOfMany(row))}`];
  });
  return table(head, lines);
}

function grouped(number) {
  const digits = number > 0 && number < 100 && !Number.isInteger(number) ? 2 : 0;
  return number.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** As Markdown, so that it can be put into a document as it is. */
function table(head, rows) {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column].length)));
  const pad = (cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]));
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = widths.map((width, column) => `${'-'.repeat(width - 1)}${column === 0 ? '-' : ':'}`);
  return [head.map(pad), rule, ...rows.map((row) => row.map(pad))].map(line).join('\n');
}
