// Polling sessions and upgrades, with the object asleep between any two requests.
// One test after the other: each puts the object to sleep under all its sessions.
// While an upgrade is under way no object sleeps: the upgrade timeout is a timer.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { scenarios } from '../harness/clients/engine-scenarios.mjs';
import { assertAlive, assertClosed, assertEchoes, assertError } from '../harness/engine/expect.mjs';
import { encode } from '../harness/engine/payload.mjs';
import { openPolling } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { sleeping } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/sleepy/';

/** Until everything is saved, then to sleep. */
async function nap({ sid }) {
  await server.settled();
  assert.equal(await server.sleep(sid), true, 'the object was awake before');
}

for (const revision of [3, 4]) {
  const open = (options) => openPolling(server, { revision, path, ...options });
  const body = (...packets) => encode(revision, packets);

  describe(`polling, revision ${revision}, asleep in between`, sleeping, () => {
    test('handshake, POST, GET', async () => {
      const session = await open();
      await nap(session);
      await session.send('4hello', Buffer.of(1, 2, 3));
      await nap(session);
      assert.deepEqual(await session.poll(), ['4hello', Buffer.of(1, 2, 3)]);
      await nap(session);
      await assertAlive(session);
    });

    test('what was buffered is there after it, of any size', async () => {
      const session = await open();
      await session.send('4cmd:big 900000', '4cmd:bigbin 1000', '4é€🦔');
      await nap(session);
      const packets = await session.collect(3);
      assert.deepEqual(packets, [`4${'x'.repeat(900_000)}`, Buffer.alloc(1_000, 0x2a), '4é€🦔']);
    });

    test('what was buffered is there, although it is too large for one row', async () => {
      const session = await open();
      await session.send('4cmd:big 900000', '4cmd:bigbin 900000', '4cmd:big 900000');
      await nap(session);
      const [first, second, third] = await session.collect(3);
      assert.equal(first, `4${'x'.repeat(900_000)}`);
      assert.deepEqual(second, Buffer.alloc(900_000, 0x2a));
      assert.equal(third, first);
    });

    test('a message from another route wakes it', async () => {
      const session = await open();
      await nap(session);
      const query = { path, sid: session.sid };
      await fetchRaw(server, { method: 'POST', path: '/send', query, body: 'hello' });
      await nap(session);
      assert.deepEqual(await session.poll(), ['4hello']);
    });

    test('the user session', async () => {
      const session = await open();
      const say = async (command) => {
        await session.send(`4cmd:session ${command}`);
        return (await session.poll())[0];
      };
      assert.equal(await say('set kept'), '4saved');
      await nap(session);
      assert.equal(await say('edit  twice'), '4kept twice');
      await nap(session);
      assert.equal(await say('get'), '4kept twice');
    });

    test('close by the client', async () => {
      const session = await open();
      await nap(session);
      await session.send('1');
      assert.equal(await server.logs.reason(session.sid), 'transport close');
      await nap(session);
      const answer = await session.get();
      assert.ok([200, 400].includes(answer.status), `status ${answer.status}`);
      await assertClosed(session);
    });

    test('close by the server: 1 ends the next payload', async () => {
      const session = await open();
      await session.send('4last', '4cmd:close');
      await nap(session);
      assert.deepEqual(await session.poll(), ['4last', '1']);
      await assertClosed(session);
    });

    test('a bad packet closes it', async () => {
      const session = await open();
      await nap(session);
      assert.equal((await session.post('abc')).status, 400);
      assert.equal(await server.logs.reason(session.sid), 'parse error');
      await assertClosed(session);
    });

    test('two GETs at once close it', async () => {
      const session = await open();
      await nap(session);
      const [first, second] = await Promise.all([session.get(), session.get()]);
      assert.deepEqual([first.status, second.status].sort(), [200, 400]);
      await assertClosed(session);
    });

    if (revision === 3) {
      test('a ping gets its pong', async () => {
        const session = await open();
        await nap(session);
        await session.send('2');
        await nap(session);
        assert.deepEqual(await session.poll(), ['3']);
      });
    }

    test('an upgrade, asleep before it and after it', async () => {
      const session = await open();
      await session.send('40');
      await nap(session);
      const peer = await session.upgrade();
      peer.send('2probe');
      assert.equal(await peer.next(), '3probe');
      assert.ok((await session.poll()).includes('40'));
      await session.send('41');
      peer.send('5');
      assert.equal(await peer.next(), '41');
      await nap(session);
      await assertEchoes(peer, '42');
      await nap(session);
      assertError(await session.get(), 3);
      peer.close();
    });

    test('an upgrade that failed leaves nothing that keeps the object awake', async () => {
      const session = await open();
      const peer = await session.upgrade();
      peer.send('4hello');
      await peer.end();
      await nap(session);
      await assertAlive(session);
    });

    test('an upgraded session goes on, and every scenario of a WebSocket with it', async () => {
      const session = await open();
      const peer = await session.upgraded();
      const client = {
        sid: session.sid,
        send: (data) => peer.send(frame(revision, data)),
        next: async () => content(revision, await peer.next()),
      };
      const pause = () => server.sleep(session.sid);
      const way = { ends: 'websocket' };
      for (const name of ['text', 'binary', 'Unicode', 'the user session', 'a text of 900 kB']) {
        await scenarios[name]({ client, server, path, pause, way });
      }
      peer.close();
    });

    test('cut off before what it took is saved, it is over, and gets nothing twice', async () => {
      const session = await open();
      await session.send('4hello');
      await nap(session);
      assert.deepEqual(await session.poll(), ['4hello']);
      await server.cut(session.sid);
      await assertClosed(session);
    });

    test('an empty body closes it', async () => {
      const session = await open();
      await nap(session);
      await session.post(body());
      assert.equal(await server.logs.reason(session.sid), 'parse error');
      await assertClosed(session);
    });
  });
}

function frame(revision, data) {
  if (typeof data === 'string') return `4${data}`;
  return revision === 3 ? Buffer.concat([Buffer.of(4), data]) : data;
}

function content(revision, received) {
  if (typeof received === 'string') return received.slice(1);
  return revision === 3 ? received.subarray(1) : received;
}
