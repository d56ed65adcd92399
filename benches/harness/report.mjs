// The table at the end.

/** Rows as a table in plain text, which is Markdown too. */
export function table(rows) {
  const cells = rows.map(({ name, unit, ours, peer, ratio, least, most, peer_name: peerName }) => [
    name,
    unit,
    number(ours),
    // Not everything has a peer.
    peer === undefined ? '' : number(peer),
    peerName ?? '',
    ratio === undefined ? '' : `${ratio.toFixed(2)}×`,
    // What is measured only once has no spread.
    least === undefined ? '' : `${least.toFixed(2)}–${most.toFixed(2)}`,
  ]);
  const head = ['what', 'unit', 'Dormouse', 'peer', 'which', 'ratio', 'in rounds'];
  const widths = head.map((title, index) => Math.max(title.length, ...cells.map((row) => row[index].length)));
  const isNumber = (index) => [2, 3, 5, 6].includes(index);
  const line = (row) =>
    `| ${row.map((cell, index) => (isNumber(index) ? cell.padStart(widths[index]) : cell.padEnd(widths[index]))).join(' | ')} |`;
  const rule = `|${widths.map((width, index) => (isNumber(index) ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2))).join('|')}|`;
  return [line(head), rule, ...cells.map(line)].join('\n');
}

function number(value) {
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value.toPrecision(3);
}
