// What it costs to have many clients who say nothing: memory, what one among them
// says, and to wake up.

import { ask, closeAll, flood, openMembers } from '../harness/client.mjs';
import { median, spread } from '../harness/measure.mjs';

// The runtime puts an object to sleep when nothing has happened for ten seconds.
const ASLEEP_AFTER = 11_500;
const ECHO = '42["echo","sixteen letters!"]';
const CAST = '42["cast","pair","sixteen letters!"]';
/** A server of its own for each crowd, and so an object. */
const PATHS = ['/few/', '/many/', '/most/'];
const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Of all servers, one after the other: each has a port's worth of connections. */
export async function measureCrowds(starts, { sizes, rounds, ms, sleeps, onProgress }) {
  const results = {};
  for (const [target, start] of Object.entries(starts)) {
    const server = await start();
    onProgress(`${server.name} with ${sizes.join(', ')} idle clients`);
    try {
      // npm's socket.io never sleeps.
      const options = { sizes, rounds, ms, sleeps: target === 'node' ? 0 : sleeps };
      results[target] = { name: server.name, ...(await crowd(server, options)) };
    } finally {
      await server.stop();
    }
  }
  return rows(results, sizes);
}

async function crowd(server, { sizes, rounds, ms, sleeps }) {
  const result = { memory: {}, cost: {}, message: {}, broadcast: {} };
  const crowds = [];
  for (const [index, size] of sizes.entries()) {
    const before = server.memory();
    const members = await openMembers(server, size, PATHS[index]);
    result.memory[size] = (server.memory() - before) / size;
    for (const member of [members[0], members.at(-1)]) await ask(member, 'join', 'pair');
    crowds.push({ size, one: members[0], members });
  }
  // In turns, so that what disturbs the machine disturbs every crowd.
  for (let round = 0; round < rounds; round += 1) {
    for (const { size, one } of crowds) (result.cost[size] ??= []).push(await cost(server, one, ms));
  }
  for (let sleep = 0; sleep < sleeps; sleep += 1) {
    await delay(ASLEEP_AFTER);
    for (const { size, one } of crowds) {
      (result.message[size] ??= []).push(await answer(one, ECHO));
      (result.broadcast[size] ??= []).push(await answer(one, CAST));
    }
  }
  await closeAll(crowds.flatMap(({ members }) => members));
  return result;
}

/** Microseconds of processor time for a message of one who is not alone. */
async function cost(server, one, ms) {
  const cpu = server.cpu();
  const count = await flood(one, { inFlight: 16, ms, send: () => one.send(ECHO) });
  return ((server.cpu() - cpu) * 1e6) / count;
}

/** Milliseconds until a message is answered. */
async function answer(one, message) {
  const start = performance.now();
  await flood(one, { inFlight: 1, ms: 0, send: () => one.send(message) });
  return performance.now() - start;
}

function rows({ ours, ...peers }, sizes) {
  const kinds = [
    ['memory of an idle client, one of', 'bytes', ({ memory }, size) => [memory[size]]],
    ['echo 16 B, 16 in flight, idle clients:', 'CPU µs', ({ cost }, size) => cost[size]],
    ['first answer after sleep, clients:', 'ms', ({ message }, size) => message[size] ?? []],
    ['first broadcast after sleep, clients:', 'ms', ({ broadcast }, size) => broadcast[size] ?? []],
  ];
  return kinds.flatMap(([name, unit, read]) =>
    sizes
      // Of few clients, what the server itself takes is most of it.
      .filter((size) => unit !== 'bytes' || size >= 1_000)
      .flatMap((size) =>
        Object.values(peers)
          .map((peer) => ({
            name: `${name} ${size.toLocaleString('en')}`,
            unit,
            ours: median(read(ours, size)),
            peer: median(read(peer, size)),
            ...spread(read(peer, size).map((value, index) => value / read(ours, size)[index])),
            peer_name: peer.name,
          }))
          .filter(({ ratio }) => Number.isFinite(ratio)),
      ),
  );
}
