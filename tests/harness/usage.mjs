// What the application has been told of what is billed, and what the meter has counted of it.

/** What the application was told, added up. `wokenBy` has those that are not 0. */
export function told(logs) {
  const sum = { wokenBy: {} };
  for (const { usage } of logs.find({ event: 'usage' })) {
    const { wokenBy, ...counts } = usage;
    for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
    for (const [name, count] of Object.entries(wokenBy)) {
      if (count) sum.wokenBy[name] = (sum.wokenBy[name] ?? 0) + count;
    }
  }
  return sum;
}

/** Waits until it has been told that a reason has woken an object. */
export async function toldOfWake(logs, reason) {
  while (!told(logs).wokenBy[reason]) await new Promise(setImmediate);
}

/** The counts of a meter, in the words of the application. */
export function metered(counts) {
  return {
    requests: counts.fetches,
    calls: 0,
    messages: counts.messages,
    alarms: counts.alarms,
    rowsWritten: counts.rowsWritten + counts.alarmsSet,
    rowsRead: counts.rowsRead,
  };
}
