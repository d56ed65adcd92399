// The handshake, and how a session is told about itself.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { differs } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

const KEYS = ['sid', 'upgrades', 'pingInterval', 'pingTimeout', 'maxPayload'];
const times = { pingInterval: 400, pingTimeout: 600, maxPayload: 1_000_000 };
const defaults = { pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000 };

for (const revision of [3, 4]) {
  describe(`revision ${revision}`, { concurrency: true }, () => {
    test('by polling: exactly the keys of the specification', async () => {
      const { handshake } = await openPolling(server, { revision, path: '/engine.io/' });
      assert.deepEqual(Object.keys(handshake), KEYS);
      assert.deepEqual(handshake, { sid: handshake.sid, upgrades: ['websocket'], ...times });
    });

    test('by WebSocket: the same, with no upgrades', async () => {
      const peer = await openSession(server, { revision, path: '/engine.io/' });
      assert.deepEqual(Object.keys(peer.handshaken), KEYS);
      assert.deepEqual(peer.handshaken, { sid: peer.sid, upgrades: [], ...times });
      peer.close();
    });

    test('with default options: 25 s, 20 s, 1,000,000 bytes', async () => {
      const { handshake } = await openPolling(server, { revision });
      assert.deepEqual(handshake, { sid: handshake.sid, upgrades: ['websocket'], ...defaults });
    });

    test('where upgrades are off: no upgrades', async () => {
      const { handshake } = await openPolling(server, { revision, path: '/noupgrade/' });
      assert.deepEqual(handshake.upgrades, []);
    });

    test('the body holds this one packet alone, a greeting comes later', async () => {
      const session = await openPolling(server, { revision, query: { greet: 1 } });
      assert.deepEqual(session.others, []);
      assert.deepEqual(await session.poll(), ['4hello']);
    });

    test('by WebSocket the greeting follows the handshake', async () => {
      const peer = await openSession(server, { revision, query: { greet: 1 } });
      assert.equal(await peer.next(), '4hello');
      peer.close();
    });
  });
}

describe('session ids', { concurrency: true }, () => {
  test('are made of URL-safe characters', async () => {
    const { sid } = await openPolling(server);
    assert.match(sid, /^[A-Za-z0-9_-]{20,128}$/);
  });

  const counted = differs('ends its ids with a counter');
  test('have at least 96 random bits of their own', counted, async () => {
    const sids = await Promise.all(
      Array.from({ length: 24 }, async () => (await openPolling(server)).sid),
    );
    // 96 bits are the last 16 characters; two that agree there would be no chance.
    const tails = new Set(sids.map((sid) => sid.slice(-16)));
    assert.equal(tails.size, sids.length);
    for (let position = 0; position < 16; position += 1) {
      const letters = new Set([...tails].map((tail) => tail[position]));
      assert.ok(letters.size > 3, `character ${position} of the random part hardly varies`);
    }
  });

  test('are logged with their connection', async () => {
    const { sid } = await openPolling(server);
    const event = await server.logs.waitFor({ event: 'connect', sid });
    assert.equal(event.level, 'info');
  });
});

test('revision 4 frames the handshake as 0{…}', async () => {
  const query = { EIO: 4, transport: 'polling' };
  const { text, headers } = await fetchRaw(server, { path: '/sleepy/', query });
  assert.match(text, /^0\{.*\}$/);
  assert.equal(headers['content-type'], 'text/plain; charset=UTF-8');
});

test('revision 3 frames the handshake as len:0{…}', async () => {
  const query = { EIO: 3, transport: 'polling', b64: 1 };
  const { text, headers } = await fetchRaw(server, { path: '/sleepy/', query });
  const [, length, packet] = /^(\d+):(0\{.*\})$/.exec(text);
  assert.equal(Number(length), packet.length);
  assert.equal(headers['content-type'], 'text/plain; charset=UTF-8');
});

test('the path is taken with its slash only, and no more of it', async () => {
  const query = { EIO: 4, transport: 'polling' };
  assert.equal((await fetchRaw(server, { path: '/nothing/', query })).status, 404);
  assert.equal((await fetchRaw(server, { path: '/', query })).status, 404);
});
