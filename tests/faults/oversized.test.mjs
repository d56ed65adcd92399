// 33 MiB at once, over what the platform itself passes on: a clear error each time, never
// a 5xx, and nobody else notices.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { bystanders } from '../harness/engine/bystanders.mjs';
import { assertAlive } from '../harness/engine/expect.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { socketBystanders } from '../harness/socket/bystanders.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const SIZE = 33 * 2 ** 20;
const LONGEST = 30_000;

const text = '4'.repeat(SIZE);
const bytes = Buffer.alloc(SIZE, 4);

const frames = { text, binary: bytes };
const bodies = {
  'text, with a length': { body: text },
  'text, in chunks': { body: text, headers: { 'transfer-encoding': 'chunked' } },
  'binary, with a length': { body: bytes, headers: { 'content-type': 'application/octet-stream' } },
  'binary, in chunks': {
    body: bytes,
    headers: { 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' },
  },
};

/** 413, or 400 for what this revision does not take at all; a server may close before it has read it all. */
async function assertRefused(posted) {
  try {
    const { status } = await posted;
    assert.ok([413, 400].includes(status), `status ${status}`);
    return status;
  } catch (error) {
    assert.match(String(error.code), /^(ECONNRESET|EPIPE)$/, error.message);
    return undefined;
  }
}

for (const revision of [3, 4]) {
  describe(`revision ${revision}`, workerOnly, () => {
    const options = { revision, path: '/sleepy/' };

    for (const [kind, frame] of Object.entries(frames)) {
      test(`a ${kind} frame: that WebSocket is closed, for being too big`, async () => {
        const others = await bystanders(server, options);
        const peer = await openSession(server, options);
        // The connection may be gone before all of it is written.
        peer.socket.on('error', () => {});
        peer.send(frame);
        const { code } = await peer.end('end of the WebSocket', LONGEST);
        assert.ok([1009, 1006].includes(code), `code ${code}`);
        assert.ok(await server.logs.reason(peer.sid));
        await others.check();
        await others.leave();
      });
    }

    for (const [kind, { body, headers }] of Object.entries(bodies)) {
      test(`a body, ${kind}: 413, and the session goes on`, async () => {
        const others = await bystanders(server, options);
        const session = await openPolling(server, options);
        const status = await assertRefused(session.post(body, { headers }));
        if (status !== 400) await assertAlive(session);
        await others.check();
        await others.leave();
      });
    }
  });
}

describe('sockets', workerOnly, () => {
  for (const [kind, frame] of Object.entries(frames)) {
    test(`a ${kind} frame where a packet is due: that client is gone, and nobody else`, async () => {
      const others = await socketBystanders(server);
      const member = await openMember(server, { namespace: '/chat' });
      await member.ask('join', 'room');
      await member.client.send('51-/chat,["message",{"_placeholder":true,"num":0}]');
      const { socket } = member.client.peer;
      socket.on('error', () => {});
      socket.send(frame);
      const { rooms } = await server.logs.waitFor({ event: 'disconnecting', socket: member.id });
      assert.deepEqual(rooms, ['room']);
      await others.check();
      await others.leave();
    });
  }
});
