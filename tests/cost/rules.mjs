// What must hold whatever it costs, and what it may cost.

import { month } from '#dormouse-test/prices.mjs';
import { PING_INTERVAL, calls } from './simulation.mjs';

/** Dollars a month for a million idle clients by WebSocket, of each revision. */
export const GOALS = { 3: 10, 4: 200 };
/** From so many clients in an object on. */
export const GOAL_FROM = 1_000;

/** The rules that an idle scenario breaks, each in a sentence. */
export function broken(scenario, spent) {
  const rules = scenario.transport === 'polling' ? polling : bySocket(scenario);
  return rules.filter(({ holds }) => !holds(spent, scenario)).map(({ rule }) => rule);
}

const intervals = ({ time }) => Math.ceil(time / PING_INTERVAL);

const noRows = {
  rule: 'an idle client by WebSocket has no row written but that of the alarm, and none read',
  holds: (spent) => spent.rowsWritten + spent.rowsRead === 0 && spent.alarmsSet <= spent.alarms,
};

function bySocket({ server, revisions }) {
  if (server.includes('recovery')) return [onePulseAndLooks];
  if (revisions.length > 1) return [onePulse];
  return revisions[0] === 3 ? [noWake, noRows] : [onePulse, noMessages, noRows];
}

const noWake = {
  rule: 'an idle client of revision 3 by WebSocket does not wake an object of its revision',
  holds: (spent) => spent.wakes + calls(spent) + spent.alarmsSet === 0,
};

const onePulse = {
  rule: 'an object is woken once in a ping interval at most, however many idle clients of revision 4 it has',
  holds: (spent) => spent.alarms <= intervals(spent) && spent.wakes <= calls(spent),
};

/** How often an object with recovery looks for clients that were lost without a word. */
const LOOK_EVERY = 120_000;

const onePulseAndLooks = {
  rule: 'recovery wakes an object once in two minutes at most, besides its pulses',
  holds: (spent) => {
    const looks = Math.ceil(spent.time / LOOK_EVERY);
    // Each look is noted down, and has the alarm set once more.
    return spent.alarms <= intervals(spent) + looks && spent.rowsWritten <= looks && spent.messages === 0;
  },
};

const noMessages = {
  rule: 'the answers of idle clients of revision 4 by WebSocket do not wake the object',
  holds: (spent) => spent.messages === 0 && spent.wakes <= spent.alarms,
};

const polling = [
  {
    rule: 'a client that polls steadily has no row written but that of the alarm, and none read',
    holds: (spent) => spent.rowsWritten + spent.rowsRead === 0 && spent.alarmsSet <= intervals(spent),
  },
  {
    rule: 'an idle client that polls makes two requests in a ping interval',
    holds: (spent, { count }) => spent.fetches <= 2 * intervals(spent) * count,
  },
];

/** The rules that talking breaks. */
export function brokenByMessages({ server, spent }) {
  if (server.includes('recovery')) return [];
  const isFree = spent.rowsWritten === 0 && spent.alarmsSet <= spent.alarms;
  return isFree ? [] : ['a message by WebSocket writes no row where recovery is off'];
}

/** The goal that a scenario has, if it is missed. */
export function missed({ transport, revisions, server, count }, spent) {
  const isPlain = transport === 'websocket' && revisions.length === 1 && !server.includes('recovery');
  const [revision] = revisions;
  const goal = GOALS[revision];
  if (!isPlain || count < GOAL_FROM || month(spent, count).total <= goal) return [];
  return [`a million idle clients of revision ${revision} by WebSocket cost at most $${goal} a month`];
}
