// Stock clients of all generations against an application that is written for npm's
// socket.io server, awake and asleep between any two steps.

import { after, before, describe, test } from 'node:test';
import { ways } from '../harness/clients/common.mjs';
import { scenarios } from '../harness/clients/socket-scenarios.mjs';
import { join, libraries, packed } from '../harness/clients/socket.mjs';
import { startApplication } from '../harness/typescript.mjs';

const application = 'tests/typescript/application/reference.ts';
const [polling, webSocket] = ways;

// Each generation once awake, by polling, and once asleep.
const manners = [
  { name: 'awake', way: polling, concurrency: 4 },
  // Whoever puts the object to sleep does so under everyone in it.
  { name: 'asleep in between', way: webSocket, concurrency: 1, sleeps: true },
];

for (const { name, way, concurrency, sleeps } of manners) {
  describe(name, () => {
    let server;
    before(async () => (server = await startApplication(application)));
    after(() => server?.stop());

    for (const library of [...libraries, packed]) {
      const path = library === packed ? '/msgpack/' : '/io/';
      describe(`${library.name}, ${way.name}`, { concurrency }, () => {
        for (const [scenario, run] of Object.entries(scenarios)) {
          test(scenario, async (t) => {
            const players = [];
            const open = async (options) => {
              const player = await join(server, library, { path, transports: way.transports, ...options });
              players.push(player);
              return player;
            };
            t.after(() => players.forEach((player) => player.close()));
            const player = await open();
            const misreads = library.name.endsWith('1.7') && way.ends === 'polling';
            const pause = async () => sleeps && server.sleep(player.sid);
            await run({ player, open, server, path, pause, way, library, misreads });
          });
        }
      });
    }
  });
}
