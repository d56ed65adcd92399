// Servers of many objects: their objects by name, and clients that are where a test wants
// them.

import { join } from '../clients/socket.mjs';
import { objectId } from '../runtime/built.mjs';

export const OBJECTS = 8;
const HUBS = 8;

const numbers = (count) => Array.from({ length: count }, (_, number) => number);

/** The names of the objects that clients are in. */
export const objects = (path, count = OBJECTS) => numbers(count).map((number) => `${path} s ${number}`);

/** The names of the hubs of a namespace. */
export const hubs = (path, namespace, count = HUBS) =>
  numbers(count).map((number) => `${path} h ${namespace} ${number}`);

/** The name of the hub of a namespace whose clients can come back: it has one that logs. */
export const loggingHub = (path, namespace) => `${path} l ${namespace}`;

/** The object that a client is in. */
export const objectOf = (player) => objectId(player.sid);

/** The first objects in which so many clients are, with them; others are not kept. */
export async function inObjects(server, library, { count, each = 1, ...options }) {
  const places = new Map();
  const full = () => [...places.values()].filter((players) => players.length === each);
  while (full().length < count) {
    const player = await join(server, library, options);
    const place = objectOf(player);
    const players = places.get(place) ?? [];
    if (players.length < each && (places.has(place) || places.size < count)) {
      places.set(place, [...players, player]);
    } else {
      player.close();
    }
  }
  return full();
}

/** What a server's objects have been woken and called for while something was done. */
export async function spent(server, action) {
  const before = await server.counts();
  await action();
  const after = await server.counts();
  const sum = { wakes: 0, calls: 0, disturbed: 0, alarms: 0 };
  const woken = [];
  for (const [id, counts] of Object.entries(after)) {
    const more = (name) => counts[name] - (before[id]?.[name] ?? 0);
    for (const name of Object.keys(sum)) sum[name] += more(name);
    // Its heartbeat may fall into this time, and is none of the action's doing.
    const isOwn = more('alarms') > 0 && more('calls') === 0;
    if (more('wakes') > 0 && !isOwn) woken.push(id);
  }
  return { ...sum, woken };
}
