// What is done in a server of many objects, counted over all of them, hubs included; and
// what of it has to hold whatever it costs.

import { setImmediate as breathe } from 'node:timers/promises';
import { openMember } from '../harness/socket/client.mjs';
import { PRICES, billed } from '#dormouse-test/prices.mjs';

const PATH = '/spread-plain/';
const HUBS = 8;
const HOUR = 3_600_000;
/** Rooms that are empty for longer are none for their hubs. Rows may be written again, too. */
const MINUTE = 60_000;
const TIMES = 20;
/** So many rooms have all hubs among them. */
const KNOWN = 40;
/** Rows of the platform for the tables of a hub. */
const SCHEMA = 8;

export const CONNECT = 'the first client of an object connects';
const CONNECT_BESIDE = 'another client connects';
const JOIN = 'the first in an object joins a room';
const JOIN_BESIDE = 'another one there joins it';
const EVENT = 'an event';
const EVENTS = 'one of many events at once';
const EVENT_ASLEEP = 'an event while all sleep';
const EVENT_ALONE = 'an event in a room of one object';
const LEAVE = 'the last in an object leaves a room';
export const NOTHING = 'an hour in which nothing happens';

const range = (count) => Array.from({ length: count }, (_, index) => index);

let servers = 0;

/** Clients, each in an object of its own, and the meters of all objects. */
export class Company {
  constructor(metered, path = PATH) {
    this.metered = metered;
    this.path = path;
    this.prefix = `many-${(servers += 1)}`;
    this.members = [];
  }

  async open(object) {
    // The platform answers the heartbeats of this revision.
    const member = await openMember(this.metered, { ...this.place(object), revision: 3 });
    this.members.push(member);
    return member;
  }

  /** What puts a client into an object. */
  place(object) {
    return { path: this.path, query: { object: `${this.prefix}-${object}` } };
  }

  /** What all objects have spent together, once they have come to rest. */
  async reading() {
    for (;;) {
      const all = Object.values(await this.metered.all());
      if (all.every(({ requests, storage }) => requests + storage === 0)) {
        const sum = {};
        for (const { counts } of all) {
          for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
        }
        return { sum, pending: all.filter(({ timer, alarm }) => timer !== null || alarm !== null).length };
      }
      await breathe();
    }
  }

  async spent(action) {
    const { sum: before } = await this.reading();
    await action();
    const { sum: after, pending } = await this.reading();
    const spent = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)]);
    return { ...Object.fromEntries(spent), pending };
  }

  /** Puts all objects to sleep that are awake. */
  async sleep() {
    await this.reading();
    for (const id of Object.keys(await this.metered.all())) await this.metered.sleep(id);
  }

  /** Lets time pass in which nothing comes. */
  async pass(ms) {
    const { now } = await this.metered.whole();
    await this.metered.jump(now + ms);
  }

  /** Lets time pass, with all that comes due in any object. */
  async live(ms) {
    const { now } = await this.metered.whole();
    for (;;) {
      await this.reading();
      const due = ([, { timer, alarm }]) => Math.min(timer ?? Infinity, alarm ?? Infinity);
      const all = Object.entries(await this.metered.all()).sort((a, b) => due(a) - due(b));
      if (all.length === 0 || due(all[0]) > now + ms) break;
      await this.metered.jump(due(all[0]));
      await this.metered.fireId(all[0][0]);
    }
    await this.metered.jump(now + ms);
  }

  async close() {
    for (const member of this.members) await member.client.close();
  }
}

/** Counts everything, with rooms in so many objects. */
export async function countMany(metered, sizes) {
  const company = new Company(metered);
  const rows = [];
  const count = async (what, objects, times, action) => {
    rows.push({ what, objects, times, spent: await company.spent(action) });
  };
  const outsider = await company.open('outside');
  await count(CONNECT, 1, 1, () => company.open(0));
  await count(CONNECT_BESIDE, 1, 1, () => company.open(0));
  const [, first, neighbour] = company.members;
  // Hubs have tables, and know this object.
  await joinAll(first, 'warm', KNOWN);
  await company.pass(MINUTE);
  await count(JOIN, 1, TIMES, () => joinAll(first, 'first', TIMES));
  await count(JOIN_BESIDE, 1, TIMES, () => joinAll(neighbour, 'first', TIMES));
  await count(LEAVE, 1, TIMES, async () => {
    for (const member of [first, neighbour]) {
      for (const number of range(TIMES)) await member.ask('leave', `first ${number}`);
    }
    await company.pass(MINUTE);
    // Empty rooms are looked at when something else happens.
    await first.ask('join', 'the last one');
  });
  await company.pass(MINUTE);

  for (const object of range(Math.max(...sizes) - 1)) await company.open(object + 1);
  const objects = company.members.filter((member) => member !== outsider && member !== neighbour);
  for (const size of sizes) {
    const room = `in ${size}`;
    const members = objects.slice(0, size);
    for (const member of members) await member.ask('join', room);
    // From then on the hub knows the sender.
    await say(outsider, room, members, 1);
    await count(EVENT, size, TIMES, () => say(outsider, room, members, TIMES));
    await count(EVENTS, size, TIMES, async () => {
      for (const number of range(TIMES)) await outsider.emit('say', room, number);
      await drain(members, TIMES);
    });
    // What was answered to the sender.
    await outsider.ask('where');
    await company.sleep();
    await count(EVENT_ASLEEP, size, 1, () => say(outsider, room, members, 1));
  }

  await joinAll(first, 'alone', 1);
  await joinAll(neighbour, 'alone', 1);
  // The answer to the first event says that nobody else is there.
  await sayInside(first, neighbour, 1);
  await count(EVENT_ALONE, 1, TIMES, () => sayInside(first, neighbour, TIMES));
  await company.pass(MINUTE);
  await count(NOTHING, Math.max(...sizes), 1, () => company.pass(HOUR));
  await company.close();
  return rows;
}

async function joinAll(member, room, count) {
  for (const number of range(count)) await member.ask('join', `${room} ${number}`);
}

/** Events from outside of a room, one after the other. */
async function say(sender, room, members, count) {
  for (const number of range(count)) {
    await sender.ask('say', room, number);
    await drain(members, 1);
  }
}

/** Events in a room whose only members these are. */
async function sayInside(sender, other, count) {
  for (const number of range(count)) {
    await sender.emit('say', 'alone 0', number);
    await drain([sender, other], 1);
  }
}

async function drain(members, count) {
  for (const member of members) for (const _ of range(count)) await member.client.packet();
}

/** What has to hold for each, for so many times and in so many objects. */
const promises = {
  [CONNECT]: {
    rule: 'the first client of an object is one call and one row more',
    holds: ({ fetches, rowsWritten }) => fetches <= 2 && rowsWritten <= 2 + SCHEMA,
  },
  [CONNECT_BESIDE]: {
    rule: 'other clients are no call and no row',
    holds: ({ fetches, rowsWritten }) => fetches <= 1 && rowsWritten === 0,
  },
  [JOIN]: {
    rule: 'the first of a room in an object is one call and one row',
    holds: ({ fetches, rowsWritten }, { times }) => fetches <= times && rowsWritten <= times,
  },
  [JOIN_BESIDE]: { rule: 'others in the room are no call and no row', holds: (spent) => isNothing(spent) },
  [EVENT]: {
    rule: 'an event is a call to a hub and one to each object, and no row',
    holds: (spent, { times, objects }) => spent.fetches <= times * (1 + objects) && rowsOf(spent) === 0,
  },
  [EVENTS]: {
    rule: 'events that wait go together',
    holds: (spent, { times, objects }) => 2 * spent.fetches <= times * (1 + objects) && rowsOf(spent) === 0,
  },
  [EVENT_ASLEEP]: {
    rule: 'an event wakes its hub, the sender and the objects with members, and a hub that wakes writes a row',
    holds: (spent, { objects }) =>
      spent.wakes <= objects + 2 && spent.fetches <= 2 * (1 + objects) && rowsOf(spent) <= 1,
  },
  [EVENT_ALONE]: {
    rule: 'a room whose members are all in one object is served there, without a call',
    holds: (spent) => isNothing(spent),
  },
  [LEAVE]: {
    rule: 'the last to leave in an object are one call for each hub, and a row for each room',
    // One is that of the room that is joined after them; and a hub that has slept writes one.
    holds: ({ fetches, rowsWritten, wakes }, { times }) =>
      fetches <= HUBS + 1 && rowsWritten <= times + 1 + wakes,
  },
  [NOTHING]: {
    rule: 'where nothing happens there is no call, no row, no alarm and no timer, in hubs or elsewhere',
    holds: (spent) => isNothing(spent) && spent.wakes + spent.held + spent.pending === 0,
  },
};

/** What is counted. */
export const promised = Object.keys(promises);

const rowsOf = ({ rowsWritten, alarmsSet }) => rowsWritten + alarmsSet;
const isNothing = (spent) => spent.fetches + spent.alarms + rowsOf(spent) === 0;

/** The promises that something breaks, each in a sentence. */
export function brokenByMany({ what, spent, ...how }) {
  const { rule, holds } = promises[what];
  return holds(spent, how) ? [] : [rule];
}

/** What a million of it costs, in dollars, without the time in which objects are awake. */
export function priceOfMany({ spent, times }) {
  const { requests, rowsWritten, rowsRead } = billed(spent);
  const { objectRequest, rowWritten, rowRead } = PRICES;
  const sum = requests * objectRequest + rowsWritten * rowWritten + rowsRead * rowRead;
  return (sum / times) * 1_000_000;
}
