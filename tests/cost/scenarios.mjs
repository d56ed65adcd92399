// Whom we count: idle clients of each kind, alone in an object and with others; and
// clients that talk.

import { extent } from '../harness/extent.mjs';
import { Simulation } from './simulation.mjs';

const MINUTE = 60_000;

const servers = {
  'Engine.IO': { path: '/sleepy/', isSocketIo: false },
  'Socket.IO': { path: '/io/', isSocketIo: true },
  'Socket.IO, recovery on': { path: '/recovery/', isSocketIo: true },
};

/** One interval is like the other: the hour is counted in a part of it. */
const minutes = (count) => (count > 1_000 ? 5 : 20);

function idle(server, transport, revisions, count, time = minutes(count)) {
  const crowds = revisions.map((revision, index) => ({
    revision,
    transport,
    count: Math.floor(count / revisions.length) + (index < count % revisions.length ? 1 : 0),
  }));
  return { server, transport, revisions, count, crowds, time: time * MINUTE };
}

/** A sample of all, which takes half a minute. */
export function quickScenarios() {
  const crowd = extent(30, 100);
  const pollers = extent(3, 10);
  return [
    idle('Engine.IO', 'websocket', [3], crowd, extent(10, 20)),
    idle('Engine.IO', 'websocket', [4], crowd, extent(20, 60)),
    idle('Socket.IO', 'websocket', [3], crowd, extent(10, 20)),
    idle('Socket.IO', 'websocket', [4], crowd, extent(10, 20)),
    idle('Socket.IO', 'websocket', [4, 3], 10, extent(10, 20)),
    idle('Engine.IO', 'polling', [3], pollers, 10),
    idle('Engine.IO', 'polling', [4], pollers, 10),
  ];
}

/** All of them; `largest` is how many WebSockets this machine can open. */
export function allScenarios(largest) {
  const sizes = [1, 100, 1_000, largest];
  const websocket = ['Engine.IO', 'Socket.IO'].flatMap((server) =>
    [3, 4].flatMap((revision) => sizes.map((size) => idle(server, 'websocket', [revision], size))),
  );
  return [
    ...websocket,
    ...[2, 100, 1_000].map((size) => idle('Socket.IO', 'websocket', [4, 3], size)),
    idle('Socket.IO, recovery on', 'websocket', [4], 100),
    ...[3, 4].flatMap((revision) => [
      idle('Engine.IO', 'polling', [revision], 1),
      idle('Engine.IO', 'polling', [revision], 100, 5),
      idle('Engine.IO', 'polling', [revision], 1_000, 2.5),
    ]),
    idle('Socket.IO', 'polling', [4], 100, 5),
  ];
}

let objects = 0;

function simulate(metered, server) {
  objects += 1;
  return new Simulation(metered, { object: `count-${objects}`, ...servers[server] });
}

/** What the object of a scenario spends in the scenario's time. */
export async function spend(metered, { server, crowds, time }) {
  const simulation = simulate(metered, server);
  await simulation.open(crowds);
  // The heartbeats find their rhythm, and what recovery keeps of the beginning is forgotten.
  await simulation.run(server.includes('recovery') ? 5 * MINUTE : MINUTE);
  const spent = await simulation.spent(() => simulation.run(time));
  await simulation.close();
  return spent;
}

const MESSAGES = 1_000;
const AT_ONCE = 10;
const TALKERS = 10;

/** What clients say by turns: echoes, and in Socket.IO acknowledgements and broadcasts. */
const said = {
  'Engine.IO': ['hello'],
  'Socket.IO': [
    '2["message","hello"]',
    '21["message-with-ack","hello"]',
    '22["cast",{"to":[]},"news","hello"]',
  ],
  'Socket.IO, recovery on': ['2["message","hello"]'],
};

export const talking = Object.keys(said);

/** What an object spends on a thousand messages by WebSocket, asleep now and then. */
export async function talk(metered, server) {
  const simulation = simulate(metered, server);
  await simulation.open([{ revision: 4, transport: 'websocket', count: TALKERS }]);
  const spent = await simulation.spent(() => chat(simulation, said[server]));
  await simulation.close();
  return { server, messages: MESSAGES, spent };
}

async function chat(simulation, texts) {
  for (let sent = 0; sent < MESSAGES; sent += AT_ONCE) {
    for (let index = 0; index < AT_ONCE; index += 1) {
      simulation.clients[index % TALKERS].say(texts[(sent + index) % texts.length]);
    }
    await simulation.settle();
    await simulation.run(sent % 100 === 0 ? 12_000 : 1_000);
  }
}
