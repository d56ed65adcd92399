// Connections that stop in the middle: what is half there is nobody's trouble but that
// of its session, which ends by the ping timeout at the latest.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { bystanders } from '../harness/engine/bystanders.mjs';
import { assertClosed } from '../harness/engine/expect.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
// A heartbeat of 400 ms, and 600 ms for the answer.
const path = '/engine.io/';
// Whoever stands by has a longer one, and another object.
const calm = '/sleepy/';

/** A connection on which this was written, and no more. */
async function half(t, text) {
  const socket = net.connect(server.port, server.host);
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  if (text !== '') await new Promise((resolve) => socket.write(text, resolve));
  return socket;
}

const requestLine = (query) => `GET ${path}?${query} HTTP/1.1\r\nHost: ${server.host}\r\n`;
const handshake = requestLine('EIO=4&transport=polling');

const upgrade = `${requestLine('EIO=4&transport=websocket')}Upgrade: websocket\r\nConnection: Upg`;

const beginnings = {
  'nothing at all': '',
  'half a request line': handshake.slice(0, 12),
  'half a header': `${handshake}Accept-Enc`,
  'all headers but the empty line behind them': handshake,
  'half a WebSocket handshake': upgrade,
};

describe('half a request', { concurrency: true, ...workerOnly }, () => {
  for (const [name, text] of Object.entries(beginnings)) {
    test(`${name}, a hundred times: everybody else is served`, async (t) => {
      const others = await bystanders(server, { path: calm });
      await Promise.all(Array.from({ length: 100 }, () => half(t, text)));
      await others.check();
      await others.leave();
    });
  }

  for (const revision of [3, 4]) {
    for (const [kind, headers, body] of [
      ['with a length', 'Content-Length: 1000', '4half'],
      ['in chunks', 'Transfer-Encoding: chunked', '3E8\r\n4half'],
    ]) {
      /** A session with half a POST, and the connection of that. */
      const halfPosted = async (t) => {
        const session = await openPolling(server, { path, revision });
        const query = `EIO=${revision}&transport=polling&sid=${session.sid}`;
        const head = `POST ${path}?${query} HTTP/1.1\r\nHost: ${server.host}\r\nContent-Type: text/plain\r\n`;
        return { session, socket: await half(t, `${head}${headers}\r\n\r\n${body}`) };
      };

      test(`revision ${revision}, a body that stops, ${kind}: "ping timeout", and nobody else`, async (t) => {
        const others = await bystanders(server, { path: calm, revision });
        const { session } = await halfPosted(t);
        assert.equal(await logs.reason(session.sid), 'ping timeout');
        await assertClosed(session);
        await others.check();
        await others.leave();
      });

      test(`revision ${revision}, a body that breaks off, ${kind}: the session ends`, async (t) => {
        const others = await bystanders(server, { path: calm, revision });
        const { session, socket } = await halfPosted(t);
        socket.resetAndDestroy();
        assert.ok(await logs.reason(session.sid));
        await assertClosed(session);
        await others.check();
        await others.leave();
      });
    }
  }
});

/** The beginnings of WebSocket frames, masked as a client has to: 1,000 bytes, and ten of them. */
const frames = {
  'half a header': Buffer.of(0x81),
  'half a length': Buffer.of(0x81, 0xfe, 0x03),
  'half a text frame': Buffer.from([0x81, 0xfe, 0x03, 0xe8, 0, 0, 0, 0, ...Buffer.from('4123456789')]),
  'half a binary frame': Buffer.from([0x82, 0xfe, 0x03, 0xe8, 0, 0, 0, 0, ...Buffer.alloc(10, 4)]),
  'a fragment without an end': Buffer.from([0x01, 0x82, 0, 0, 0, 0, ...Buffer.from('4x')]),
};

for (const revision of [3, 4]) {
  describe(`half a frame, revision ${revision}`, { concurrency: true, ...workerOnly }, () => {
    for (const [name, bytes] of Object.entries(frames)) {
      test(`${name}: "ping timeout", and nobody else`, async () => {
        const others = await bystanders(server, { path: calm, revision });
        const peer = await openSession(server, { path, revision });
        peer.socket._socket.write(bytes);
        assert.equal(await logs.reason(peer.sid), 'ping timeout');
        await others.check();
        await others.leave();
        peer.destroy();
      });
    }

    test('the client vanishes with a reset: the session ends at once', async () => {
      const peer = await openSession(server, { path: calm, revision });
      peer.socket._socket.resetAndDestroy();
      assert.match(await logs.reason(peer.sid), /^transport (close|error)$/);
    });

    test('the client vanishes without a word: "ping timeout"', async () => {
      const peer = await openSession(server, { path, revision });
      peer.socket._socket.pause();
      assert.equal(await logs.reason(peer.sid), 'ping timeout');
      peer.destroy();
    });

    test('the client vanishes while it polls, and says nothing: the poll and the session end', async () => {
      const session = await openPolling(server, { path, revision });
      const held = session.start();
      assert.equal(await logs.reason(session.sid), 'ping timeout');
      assert.equal((await held.response).status, 200);
      await assertClosed(session);
    });

    test('a socket whose client vanishes leaves its room, and the others hear each other', async () => {
      const namespace = freshNamespace();
      const room = { namespace, path: '/socket.io/', revision };
      const lost = await openMember(server, room);
      await lost.ask('join', 'room');
      lost.client.peer.socket._socket.pause();
      const { reason } = await logs.waitFor({ event: 'disconnecting', socket: lost.id });
      assert.equal(reason, 'ping timeout');
      const speaker = await openMember(server, room);
      assert.deepEqual(await speaker.ask('fetch', { from: 'server', in: ['room'] }), [[]]);
      lost.client.peer.destroy();
      await speaker.client.close();
    });
  });
}
