// The stock JavaScript clients of every generation, by every transport; awake, and
// with the object asleep between any two steps. The newest goes through all of it, and each
// of the others has each scenario in some of its ways.

import { after, describe, test } from 'node:test';
import { ways } from '../harness/clients/common.mjs';
import { scenarios } from '../harness/clients/socket-scenarios.mjs';
import { join, libraries, newest, packed } from '../harness/clients/socket.mjs';
import { isSampled } from '../harness/extent.mjs';
import { startServer } from '../harness/server.mjs';
import { sleeping } from '../harness/target.mjs';

// One for each manner: those who poll would keep the others awake.
const [awake, asleep] = [await startServer(), await startServer()];
after(() => Promise.all([awake.stop(), asleep.stop()]));

// Asleep: those whose session is on a WebSocket. A poll that is held keeps its
// object awake.
const manners = [
  { name: '', server: awake, ways, options: { concurrency: 4 }, pause: () => async () => {} },
  {
    name: ', asleep in between',
    server: asleep,
    ways: ways.filter(({ ends }) => ends === 'websocket'),
    // Whoever puts the object to sleep does so under everyone in it.
    options: { concurrency: 1, ...sleeping },
    pause: (player) => () => asleep.sleep(player.sid),
  },
];

const courses = manners.flatMap((manner) => manner.ways.map((way) => ({ ...manner, way })));

[...libraries, packed].forEach((library, libraryPlace) => {
  const path = library === packed ? '/msgpack/' : '/io/';
  courses.forEach(({ server, way, ...manner }, coursePlace) => {
    describe(`${library.name}, ${way.name}${manner.name}`, manner.options, () => {
      Object.entries(scenarios).forEach(([name, run], place) => {
        if (library !== newest && !isSampled(3, libraryPlace, coursePlace, place)) return;
        test(name, async (t) => {
          const players = [];
          const open = async (options) => {
            const { transports } = way;
            const player = await join(server, library, { path, transports, ...options });
            players.push(player);
            return player;
          };
          t.after(() => players.forEach((player) => player.close()));
          const player = await open();
          // By polling, clients 1.x encode what is not ASCII twice, and expect it so:
          // they understand each other, and nobody else.
          const misreads = library.name.endsWith('1.7') && way.ends === 'polling';
          const pause = manner.pause(player);
          await run({ player, open, server, path, pause, way, library, misreads });
        });
      });
    });
  });
});
