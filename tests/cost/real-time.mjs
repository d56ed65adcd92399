// The same in real time: nothing is simulated, the platform wakes the object by its
// own alarms and lets it sleep by itself. It shows that the simulation counts right.

import { pass } from '../harness/delays.mjs';
import { openClient } from './clients.mjs';
import { PING_INTERVAL } from './simulation.mjs';

const INTERVALS = 3;
const CLIENTS = 10;
/** An alarm may be a little late. */
const PATIENCE = 15_000;
/** How often the meter is read. It wakes nobody. */
const TICK = 200;

const spent = ['wakes', 'fetches', 'messages', 'alarms', 'alarmsSet', 'rowsWritten'];

/** What ten clients of a revision cost in three ping intervals, counted as they pass. */
export async function countRealTime(metered, revision) {
  const object = `real-${revision}`;
  const options = { revision, transport: 'websocket', path: '/sleepy/', object };
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => openClient(metered, options)));
  const beats = setInterval(() => {
    if (revision === 3) for (const client of clients) client.beat();
  }, PING_INTERVAL);
  try {
    // The first heartbeats, and the sleep between them and the next.
    const before = await halfway(metered, object, revision, 1);
    const after = await halfway(metered, object, revision, 1 + INTERVALS);
    const lost = clients.find(({ failure }) => failure);
    if (lost) throw lost.failure;
    return Object.fromEntries(spent.map((name) => [name, after[name] - before[name]]));
  } finally {
    clearInterval(beats);
    for (const client of clients) {
      client.isClosed = true;
      client.close();
    }
  }
}

/** The counts in the middle between the heartbeat of that number and the next. */
async function halfway(metered, object, revision, number) {
  if (revision === 3) {
    await pass(number === 1 ? 1.5 * PING_INTERVAL : INTERVALS * PING_INTERVAL);
  } else {
    const end = Date.now() + (INTERVALS + 1) * PING_INTERVAL + PATIENCE;
    while ((await metered.state(object)).counts.alarms < number) {
      if (Date.now() > end) throw new Error(`no alarm number ${number}`);
      await pass(TICK);
    }
    await pass(PING_INTERVAL / 2);
  }
  return (await metered.state(object)).counts;
}

/** What it has to be, by the simulation. */
export function expected(revision) {
  const pulses = revision === 3 ? 0 : INTERVALS;
  return { wakes: pulses, fetches: 0, messages: 0, alarms: pulses, alarmsSet: pulses, rowsWritten: 0 };
}
