// How long others wait while an object is busy with all of its clients at once: it is one
// thread. A client who is not in the room asks for an echo in the same moment, and a
// broadcast has an end when its last member has heard it.

import { ask, closeAll, flood, isPing, openMember, openMembers } from '../harness/client.mjs';
import { median, spread } from '../harness/measure.mjs';

// The runtime puts an object to sleep when nothing has happened for ten seconds.
const ASLEEP_AFTER = 11_500;
const ECHO = '42["echo","sixteen letters!"]';
const CAST = '42["cast","room","sixteen letters!"]';
/** The server that pings its clients every fourteen seconds, and sleeps in between. */
const PULSE = '/pulse/';
const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Of all servers, one after the other. */
export async function measurePauses({ ours, limit, withAlarms }, { sizes, rounds, sleeps, pulses, onProgress }) {
  const rows = [];
  for (const size of sizes) {
    const crowd = size.toLocaleString('en');
    const results = { ours: await withServer(ours, casts), limit: await withServer(limit, casts) };
    for (const kind of Object.keys(results.ours)) rows.push(row(`${kind}, ${crowd} members`, results, kind));
    const beaten = { ours: await withServer(withAlarms, heartbeats) };
    for (const kind of Object.keys(beaten.ours)) rows.push(row(`${kind}, ${crowd} clients`, beaten, kind));

    async function withServer(start, measure) {
      const server = await start();
      onProgress(`pauses of ${server.name} with ${crowd} clients`);
      try {
        return await measure(server, size, { rounds, sleeps, pulses });
      } finally {
        await server.stop();
      }
    }
  }
  return rows;
}

/** Broadcasts while the object is awake, and the first after it has slept. */
async function casts(server, size, { rounds, sleeps }) {
  const members = await openMembers(server, size, '/most/');
  for (const member of members) await ask(member, 'join', 'room');
  const other = await openMember(server, '/most/');
  const results = {};
  const add = async (kind) => {
    const { last, echo } = await cast(members, other);
    (results[`${kind}: until the last has it`] ??= []).push(last);
    (results[`${kind}: an echo meanwhile`] ??= []).push(echo);
  };
  await cast(members, other);
  for (let round = 0; round < rounds; round += 1) await add('broadcast');
  for (let sleep = 0; sleep < sleeps; sleep += 1) {
    await delay(ASLEEP_AFTER);
    await add('first broadcast after sleep');
  }
  await closeAll([...members, other]);
  return results;
}

/** Milliseconds until the last member has heard an event, and until another one has an answer. */
async function cast(members, other) {
  const start = performance.now();
  const since = () => performance.now() - start;
  const heard = members.map((member) => next(member, (data) => !isPing(data)));
  members[0].send(CAST);
  const echo = answer(other).then(since);
  await Promise.all(heard);
  return { last: since(), echo: await echo };
}

/** The alarm that wakes the object to ping all of its clients. */
async function heartbeats(server, size, { pulses }) {
  const members = await openMembers(server, size - 1, PULSE);
  const other = await openMember(server, PULSE);
  const results = { 'heartbeats: from the first ping to the last': [], 'heartbeats: an echo meanwhile': [] };
  const [pings, echoes] = Object.values(results);
  // In the first pulse, they are not in step yet.
  for (let pulse = -1; pulse < pulses; pulse += 1) {
    const pinged = [...members, other].map((member) => next(member, isPing));
    await Promise.race(pinged);
    const start = performance.now();
    const since = () => performance.now() - start;
    const echo = answer(other).then(since);
    await Promise.all(pinged);
    const last = since();
    if (pulse < 0) continue;
    pings.push(last);
    echoes.push(await echo);
  }
  await closeAll([...members, other]);
  return results;
}

const answer = (member) => flood(member, { inFlight: 1, ms: 0, send: () => member.send(ECHO) });

/** The next message that fits. */
function next(member, fits) {
  return new Promise((resolve) => {
    const onMessage = (data) => {
      if (!fits(data)) return;
      member.off('message', onMessage);
      resolve();
    };
    member.on('message', onMessage);
  });
}

function row(name, { ours, limit }, kind) {
  const mine = ours[kind];
  const peer = limit?.[kind];
  const ratios = peer?.map((value, index) => value / mine[index]);
  return {
    name,
    unit: 'ms',
    ours: median(mine),
    ...(peer && { peer: median(peer), ...spread(ratios), peer_name: 'the limit' }),
  };
}
