// Alarms and tasks of an Engine.IO server.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const PATH = '/engine-tasks/';

for (const [transport, openWith] of Object.entries({ websocket: openSession, polling: openPolling })) {
  describe(transport, { ...workerOnly, concurrency: true }, () => {
    const open = async () => {
      const session = await openWith(server, { path: PATH });
      const heard = [];
      const hear = async (expected) => {
        while (!heard.includes(expected)) {
          if (transport === 'polling') heard.push(...(await session.poll()));
          else heard.push(await session.next());
        }
        heard.splice(heard.indexOf(expected), 1);
      };
      const ask = async (command) => {
        await session.send(`4cmd:alarms ${command}`);
        await hear('4done');
      };
      return { session, hear, ask };
    };

    test('an alarm finds its client', async () => {
      const { hear, ask } = await open();
      await ask('set 50');
      await hear('4alarm');
    });

    test('it wakes the object', async () => {
      const { session, hear, ask } = await open();
      await ask('set 3000');
      await server.settled();
      await server.sleep(session.sid);
      await hear('4alarm');
    });

    test('it goes off when the client has gone', async () => {
      const { session, ask } = await open();
      await ask('set 300');
      await session.send('1');
      await server.logs.reason(session.sid);
      await server.logs.waitFor({ event: 'alarm', name: `to-${session.sid}` });
    });

    test('a task reaches all clients', async () => {
      const { hear, ask } = await open();
      await ask('spawn');
      await hear('4task');
    });

    test('it can be cancelled', async () => {
      const { session, hear, ask } = await open();
      await ask('set 3000');
      await ask('cancel');
      await session.send('4cmd:slow 3200 waited');
      await hear('4waited');
      assert.deepEqual(server.logs.find({ event: 'alarm', name: `to-${session.sid}` }), []);
    });
  });
}
