// What one client and its server say to each other.

import { once } from 'node:events';
import { closeAll, flood, openEngine, openMember, openPolling, openUpgraded } from '../harness/client.mjs';

const SIZES = [
  ['16 B', 16],
  ['1 KB', 1_000],
  ['10 KB', 10_000],
];
const everybody = ['ours', 'limit', 'node', 'rust'];
/** Beside TypeScript, Rust is a peer of its own; there, some things are not served. */
const notTypeScript = ['ours', 'limit', 'node'];
const text = (bytes) => 'x'.repeat(bytes);

/** A scenario of one WebSocket that keeps questions in flight. */
function oneSocket({ name, open = openMember, inFlight, unit = 'messages', targets = everybody, of }) {
  return {
    name,
    unit,
    targets,
    async open(server) {
      const socket = await open(server);
      const how = of(socket);
      return {
        round: (ms) => flood(socket, { inFlight, ms, ...how }),
        close: () => closeAll([socket]),
      };
    },
  };
}

const echoes = SIZES.flatMap(([size, bytes]) =>
  [1, 16].map((inFlight) =>
    oneSocket({
      name: `echo ${size}, ${inFlight} in flight`,
      inFlight,
      of(socket) {
        const message = `42${JSON.stringify(['echo', text(bytes)])}`;
        return { send: () => socket.send(message) };
      },
    }),
  ),
);

/** In objects that stay awake: their WebSockets do not hibernate. */
const awakeEchoes = [1, 16].map((inFlight) =>
  oneSocket({
    name: `echo 16 B, ${inFlight} in flight, no sleep`,
    open: (server) => openMember(server, '/awake/'),
    inFlight,
    targets: notTypeScript,
    of: (socket) => ({ send: () => socket.send(`42${JSON.stringify(['echo', text(16)])}`) }),
  }),
);

const engineEchoes = SIZES.map(([size, bytes]) =>
  oneSocket({
    name: `Engine.IO echo ${size}, 16 in flight`,
    open: openEngine,
    inFlight: 16,
    targets: notTypeScript,
    of: (socket) => ({ send: () => socket.send(`4${text(bytes)}`) }),
  }),
);

const binary = oneSocket({
  name: 'binary echo 1 KB, 16 in flight',
  inFlight: 16,
  of(socket) {
    const head = `451-${JSON.stringify(['bytes', { _placeholder: true, num: 0 }])}`;
    const bytes = Buffer.alloc(1_000, 42);
    const send = () => {
      socket.send(head);
      socket.send(bytes);
    };
    return { send, isAnswer: (_, isBinary) => isBinary };
  },
});

const acknowledged = oneSocket({
  name: 'acknowledgement by the server, 16 in flight',
  inFlight: 16,
  of: (socket) => ({ send: (n) => socket.send(`42${n}["ack","${text(16)}"]`) }),
});

const asked = oneSocket({
  name: 'acknowledgement by the client, 1 in flight',
  inFlight: 1,
  of: (socket) => ({
    send: (n) => socket.send(`42${n}["ask","${text(16)}"]`),
    isAnswer(data) {
      const message = data.toString();
      if (message.startsWith('43')) return true;
      const id = message.slice(2, message.indexOf('['));
      socket.send(`43${id}["${text(16)}"]`);
      return false;
    },
  }),
});

const rooms = oneSocket({
  name: 'join and leave, 1 in flight',
  inFlight: 1,
  unit: 'operations',
  of: (socket) => ({ send: (n) => socket.send(`42${n}["${n % 2 ? 'join' : 'leave'}","room"]`) }),
});

const polling = {
  name: 'polling round trip',
  unit: 'round trips',
  targets: everybody,
  async open(server) {
    const session = await openPolling(server);
    const message = `42${JSON.stringify(['echo', text(16)])}`;
    const roundTrip = () => Promise.all([session.get(), session.post(message)]);
    return { round: (ms) => repeat(ms, 1, roundTrip), close: session.close };
  },
};

/** Clients who connect in some way, join the root namespace, and leave. */
function connections(how, one) {
  return {
    name: `connections ${how}`,
    unit: 'connections',
    targets: everybody,
    async open(server) {
      return { round: (ms) => repeat(ms, 8, () => one(server)), close: async () => {} };
    },
  };
}

async function leave(socket) {
  socket.close();
  await once(socket, 'close');
}

const connecting = [
  connections('over WebSocket', async (server) => leave(await openMember(server))),
  connections('via polling', async (server) => (await openPolling(server)).close()),
  connections('via polling, with upgrade', async (server) => leave(await openUpgraded(server))),
];

/** Does something again and again for a while, so many at once: how often. */
async function repeat(ms, atOnce, body) {
  const end = performance.now() + ms;
  let count = 0;
  const worker = async () => {
    while (performance.now() < end) {
      await body();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return count;
}

export const messages = [...echoes, ...awakeEchoes, ...engineEchoes, binary, acknowledged, asked, rooms, polling, ...connecting];
