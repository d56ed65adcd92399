// One room in many objects, beside npm's socket.io on two processes with Redis: what a
// delivery costs, how long it takes until the last member has heard an event, how many
// events many speakers get through, what ordering and carrying costs without deliveries,
// and what joining costs.

import { ask, closeAll, flood, isPing, openMembers } from '../harness/client.mjs';
import { compare, median } from '../harness/measure.mjs';

/** In 100, those with members pass events on to one another, or the hub calls each. */
const PLACES = {
  'in 1 object': '/spread-1/',
  'in 10 objects': '/spread-10/',
  'in 100 objects': '/spread-100/',
  'in 100 objects, each called by the hub': '/spread-100-flat/',
};
const SENDERS = [1, 10, 100];
/** Those among whom many speak: each event is as many deliveries. */
const LISTENERS = 100;
/** Of all senders together, so that nothing waits for so long that it is given up. */
const IN_FLIGHT = 64;
/** Of each sender, where no time is spent on deliveries. */
const UNHEARD_IN_FLIGHT = 8;

/** `starts` are those of `ours`, in so many objects, and of `redis`. */
export async function measureObjects(starts, { sizes, rounds, ms, onProgress }) {
  const rows = [];
  for (const size of sizes) rows.push(...(await casts(starts, size, { rounds, ms, onProgress })));
  rows.push(...(await throughput(starts, { rounds, ms, onProgress })));
  rows.push(...(await unheard(starts, { rounds, ms, onProgress })));
  rows.push(...(await joins(starts, { rounds, ms, onProgress })));
  return rows;
}

/** One event after the other, to so many members. */
function casts(starts, size, options) {
  const scenario = {
    name: `broadcast to ${size.toLocaleString('en')}`,
    unit: 'deliveries',
    open: (crowd) => crowd.open(size),
    round: cast,
  };
  return inEach(starts, scenario, options);
}

async function throughput(starts, options) {
  const rows = [];
  for (const senders of SENDERS) {
    const scenario = {
      name: `events of ${senders} to ${LISTENERS}`,
      unit: 'events',
      open: (crowd) => crowd.open(LISTENERS),
      round: (members, ms) => speak(members.slice(0, senders), ms),
    };
    rows.push(...(await inEach(starts, scenario, options)));
  }
  return rows;
}

/**
 * Events for a room whose members are all excepted: a hub orders them and each object with
 * members gets them, but no WebSocket does. What is left is the cost of being many.
 */
function unheard(starts, options) {
  const scenario = {
    name: `events of ${LISTENERS} that reach all objects and nobody in them`,
    unit: 'events',
    async open(crowd) {
      const members = await crowd.open(LISTENERS);
      for (const member of members) await ask(member, 'join', 'deaf');
      return members;
    },
    round: whisper,
  };
  return inEach(starts, scenario, options);
}

function joins(starts, options) {
  let rooms = 0;
  const scenario = {
    name: 'the first to join a room',
    unit: 'joins',
    open: (crowd) => crowd.open(1),
    async round([member], ms) {
      const isAnswer = (data) => data.toString().startsWith('431[');
      const send = () => member.send(`421["join","room ${(rooms += 1)}"]`);
      return { count: await flood(member, { inFlight: IN_FLIGHT, ms, send, isAnswer }), times: [] };
    },
  };
  return inEach(starts, scenario, options);
}

/** Measures it in each number of objects, each with the peer beside it. */
async function inEach(starts, { name, unit, open, round }, { rounds, ms, onProgress }) {
  const rows = [];
  for (const [place, path] of Object.entries(PLACES)) {
    const title = `${name}, ${place}`;
    onProgress(title);
    const servers = { ours: await starts.ours(), redis: await starts.redis() };
    try {
      const crowds = {
        ours: await open(crowd([servers.ours.port], path)),
        redis: await open(crowd(servers.redis.ports, '/socket.io/')),
      };
      const results = { ours: [], redis: [] };
      const last = { ours: [], redis: [] };
      for (const target of Object.keys(crowds)) await round(crowds[target], ms);
      for (let number = 0; number < rounds; number += 1) {
        for (const [target, members] of Object.entries(crowds)) {
          const cpu = servers[target].cpu();
          const start = performance.now();
          const { count, times } = await round(members, ms);
          const seconds = (performance.now() - start) / 1_000;
          results[target].push({ perSecond: count / seconds, perCpuSecond: count / (servers[target].cpu() - cpu) });
          if (times.length > 0) last[target].push(median(times));
        }
      }
      rows.push(...compare(title, unit, results, { redis: servers.redis.name }));
      if (last.ours.length > 0) rows.push(untilLast(title, last, servers.redis.name));
      await Promise.all(Object.values(crowds).map(closeAll));
    } finally {
      await Promise.all(Object.values(servers).map((server) => server.stop()));
    }
  }
  return rows;
}

function untilLast(name, { ours, redis }, peerName) {
  const [mine, peer] = [median(ours), median(redis)];
  return { name, unit: 'ms to the last', ours: mine, peer, ratio: peer / mine, peer_name: peerName };
}

/** Members of one room, by turns at each of the ports. */
function crowd(ports, path) {
  return {
    async open(size) {
      const shares = ports.map((port, index) => {
        const share = Math.floor(size / ports.length) + (index < size % ports.length ? 1 : 0);
        return openMembers({ port }, share, path);
      });
      const members = (await Promise.all(shares)).flat();
      for (let index = 0; index < members.length; index += 50) {
        await Promise.all(members.slice(index, index + 50).map((member) => ask(member, 'join', 'room')));
      }
      return members;
    },
  };
}

/** Casts for a while, the next one when all have heard the last: deliveries, and the time of each. */
function cast(members, ms) {
  return new Promise((resolve) => {
    const [caster] = members;
    const end = performance.now() + ms;
    const times = [];
    let heard = 0;
    let sent;
    const send = () => {
      sent = performance.now();
      caster.send('42["cast","room","sixteen letters!"]');
    };
    const onMessage = (data) => {
      if (isPing(data)) return;
      heard += 1;
      if (heard % members.length > 0) return;
      times.push(performance.now() - sent);
      if (performance.now() < end) return send();
      for (const member of members) member.off('message', onMessage);
      resolve({ count: heard, times });
    };
    for (const member of members) member.on('message', onMessage);
    send();
  });
}

/** All of these speak at once, and go on when their event is acknowledged: the events. */
async function whisper(senders, ms) {
  const isAnswer = (data) => data.toString().startsWith('431[');
  const counts = senders.map((sender) => {
    const send = () => sender.send('421["whisper","room","sixteen letters!"]');
    return flood(sender, { inFlight: UNHEARD_IN_FLIGHT, ms, send, isAnswer });
  });
  const all = await Promise.all(counts);
  return { count: all.reduce((sum, count) => sum + count, 0), times: [] };
}

/** All of these speak at once, and go on when they hear their own words: the events. */
async function speak(senders, ms) {
  const inFlight = Math.max(1, Math.floor(IN_FLIGHT / senders.length));
  const counts = senders.map((sender, number) => {
    const own = `"sender ${number}!"`;
    const isAnswer = (data) => data.includes(own);
    const send = () => sender.send(`42["cast","room",${own}]`);
    return flood(sender, { inFlight, ms, send, isAnswer });
  });
  const all = await Promise.all(counts);
  return { count: all.reduce((sum, count) => sum + count, 0), times: [] };
}
