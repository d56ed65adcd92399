// The stock JavaScript clients of both revisions, by every transport.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { ways } from '../harness/clients/common.mjs';
import { scenarios } from '../harness/clients/engine-scenarios.mjs';
import { connect, libraries } from '../harness/clients/engine.mjs';
import { startServer } from '../harness/server.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/sleepy/';
const forced = ways
  .slice(0, 2)
  .map((way) => ({ ...way, name: `${way.name}, base64`, options: { forceBase64: true } }));

for (const library of libraries) {
  for (const way of library.revision === 3 ? [...ways, ...forced] : ways) {
    // In Node, both clients send binary as base64 where they poll.
    const base64 = way.ends === 'polling' || way.options?.forceBase64;
    const options = { path, transports: way.transports, ...way.options };

    describe(`${library.name}, ${way.name}`, { concurrency: 4 }, () => {
      for (const [name, run] of Object.entries(scenarios)) {
        test(name, async (t) => {
          const client = await connect(server, library, options);
          const other = await connect(server, library, { path, transports: ['websocket'] });
          t.after(() => [client, other].forEach((one) => one.close()));
          const pause = async () => {};
          await run({ client, other, server, path, pause, way: { ...way, base64 } });
        });
      }
    });
  }

  describe(`${library.name}, heartbeat`, { concurrency: true }, () => {
    for (const way of ways) {
      test(`${way.name}: several intervals of 400 ms go by and nothing closes`, async () => {
        const options = { path: '/engine.io/', transports: way.transports };
        const client = await connect(server, library, options);
        const beats = await heartbeats(client, library, 4);
        assert.ok(beats >= 4);
        client.send('still here');
        assert.equal(await client.next(), 'still here');
        client.close();
      });
    }
  });

  test(`${library.name}: nothing is lost while it upgrades`, async () => {
    const options = { path, transports: ['polling', 'websocket'], settle: false };
    const client = await connect(server, library, options);
    const count = 200;
    for (let index = 0; index < count; index += 1) {
      client.send(String(index));
      if (index % 10 === 0) await new Promise(setImmediate);
    }
    for (let index = 0; index < count; index += 1) assert.equal(await client.next(), String(index));
    await client.upgraded();
    client.close();
  });

  test(`${library.name}: a refused handshake is an error, and no session`, async () => {
    const options = { path, transports: ['polling'], query: { admission: 'no' } };
    await assert.rejects(connect(server, library, options), /closed before it was open/);
  });
}

/** Waits for the pings (revision 4) or pongs (revision 3) of the server. */
async function heartbeats(client, library, count) {
  let seen = 0;
  await new Promise((resolve, reject) => {
    const beat = () => (seen += 1) === count && resolve();
    client.socket.on(library.revision === 4 ? 'ping' : 'pong', beat);
    client.closed.then((reason) => reject(new Error(`closed: ${reason}`)));
  });
  return seen;
}
