// Engine.IO sessions that must not be affected by the faults beside them, and check it.

import assert from 'node:assert/strict';
import { PATIENCE } from '#dormouse-test/wait.mjs';
import { openPolling, openSession } from './session.mjs';

let asked = 0;

// A poll is held for as long as nobody checks: at most until the next heartbeat.
const patience = Math.max(PATIENCE, 20_000);

/** One bystander over WebSocket and one via polling, with a poll held open. */
export async function bystanders(server, options = {}) {
  const peer = await openSession(server, options);
  const session = await openPolling(server, options);
  let held = session.poll({ patience });
  held.catch(() => {});

  return {
    sids: [peer.sid, session.sid],

    /** Both are served as if nothing had happened, the held poll included. */
    async check() {
      const text = `4bystander ${(asked += 1)}`;
      peer.send(text);
      assert.equal(await peer.next('echo to the bystander'), text);
      await session.send(text);
      assert.deepEqual(await held, [text]);
      held = session.poll({ patience });
      held.catch(() => {});
    },

    /** Ends both, and the held poll with them. */
    async leave() {
      peer.close();
      await session.send('1');
      await held;
    },
  };
}
