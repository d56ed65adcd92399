// Socket.IO clients that must not be affected by the faults beside them, and check it.

import assert from 'node:assert/strict';
import { openMember } from './client.mjs';

let asked = 0;

/** One over WebSocket and one via polling, in a namespace with everybody else. */
export async function socketBystanders(server, { path = '/io/', asleep = false, ...options } = {}) {
  const namespace = '/chat';
  // An object with a new polling session does not fall asleep before it is saved.
  const transports = asleep ? ['websocket', 'websocket'] : ['websocket', 'polling'];
  const members = await Promise.all(
    transports.map((transport) => openMember(server, { path, namespace, transport, ...options })),
  );
  return {
    /** Both are served as if nothing had happened, and have heard nothing of it. */
    async check() {
      for (const member of members) {
        const text = `bystander ${(asked += 1)}`;
        assert.deepEqual(await member.ask('message-with-ack', text), [text]);
      }
    },

    leave: () => Promise.all(members.map(({ client }) => client.close())),
  };
}
