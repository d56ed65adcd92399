// The same as in clients.test.mjs, where many objects are one server: its clients are in
// any of them, and its hubs are asleep, too. A sample: each client has each scenario, and so
// has each way.

import { after, describe, test } from 'node:test';
import { ways } from '../harness/clients/common.mjs';
import { scenarios } from '../harness/clients/socket-scenarios.mjs';
import { join, libraries, newest } from '../harness/clients/socket.mjs';
import { isSampled } from '../harness/extent.mjs';
import { hubs, objects } from '../harness/socket/spread.mjs';
import { startServer } from '../harness/server.mjs';
import { sleeping, target } from '../harness/target.mjs';

const plain = '/spread-plain/';
const [awake, asleep] = [await startServer(), await startServer()];
after(() => Promise.all([awake.stop(), asleep.stop()]));

const sleepers = [...objects(plain), ...hubs(plain, '/')];
const manners = [
  { name: '', server: awake, ways, options: { concurrency: 4 }, pause: async () => {} },
  {
    name: ', with clients that can come back',
    server: awake,
    path: '/spread/',
    libraries: [newest],
    ways: ways.filter(({ name }) => name === 'WebSocket only'),
    options: { concurrency: 4 },
    pause: async () => {},
  },
  {
    name: ', asleep in between',
    server: asleep,
    ways: ways.filter(({ name }) => name === 'WebSocket only'),
    options: { concurrency: 1, ...sleeping },
    pause: () => Promise.all(sleepers.map((name) => asleep.sleepNamed(name))),
  },
];

// The reference has one object only.
const tested = target === 'reference' ? [] : libraries;
const courses = manners.flatMap((manner) => manner.ways.map((way) => ({ ...manner, way })));

tested.forEach((library, libraryPlace) => {
  courses.forEach(({ server, pause, way, path = plain, ...manner }, coursePlace) => {
    if (!(manner.libraries ?? libraries).includes(library)) return;
    describe(`${library.name}, ${way.name}${manner.name}`, manner.options, () => {
      Object.entries(scenarios).forEach(([name, run], place) => {
        if (path === plain && !isSampled(3, libraryPlace, coursePlace, place)) return;
        test(name, async (t) => {
          const players = [];
          const open = async (options) => {
            const { transports } = way;
            const player = await join(server, library, { path, transports, offsets: path !== plain, ...options });
            players.push(player);
            return player;
          };
          t.after(() => players.forEach((player) => player.close()));
          const player = await open();
          const misreads = library.name.endsWith('1.7') && way.ends === 'polling';
          await run({ player, open, server, path, pause, way, library, misreads });
        });
      });
    });
  });
});
