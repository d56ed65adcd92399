// How sessions end: by either side, or by a client that breaks the rules.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { nothingComes } from '../harness/delays.mjs';
import { assertAlive, assertClosed, assertEchoes, assertError } from '../harness/engine/expect.mjs';
import { eachRevision } from '../harness/engine/revisions.mjs';
import { startServer } from '../harness/server.mjs';
import { differs } from '../harness/target.mjs';
import { drop, fetchRaw } from '../harness/wire/http.mjs';
import { refusedWebSocket } from '../harness/wire/websocket.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/sleepy/';
const { logs } = server;

/** A `POST` of whose body nothing has been sent yet. */
async function holdPost(session, text) {
  const headers = { 'content-length': Buffer.byteLength(text), 'content-type': 'text/plain' };
  const held = await session.hold({ method: 'POST', headers });
  return { ...held, finish: () => held.request.socket.write(text) };
}

eachRevision(server, path, ({ revision, polling, websocket, body }) => {
  describe('two GETs at once', { concurrency: true }, () => {
    test('the first gets 200 with 1, the second 400, the session is closed', async () => {
      const session = await polling();
      const first = await session.hold();
      const second = await session.get();
      const { status, text } = await first.response;
      assert.deepEqual([status, text], [200, body('1')]);
      assert.equal(second.status, 400);
      await assertClosed(session);
      assert.equal(await logs.reason(session.sid), 'transport error');
    });
  });

  describe('POSTs at once', { concurrency: true }, () => {
    const ends = differs('ends the session at the second');

    test('are taken one after the other', ends, async () => {
      // Clients for C# and Unity do not wait for an answer before they send the next.
      const session = await polling();
      const texts = Array.from({ length: 15 }, (_, index) => `4${index}`);
      const slow = await holdPost(session, body('4first'));
      const posts = texts.map((text) => session.post(body(text)));
      slow.finish();
      for (const { status, text } of await Promise.all([slow.response, ...posts])) {
        assert.deepEqual([status, text], [200, 'ok']);
      }
      const packets = await session.collect(16);
      assert.equal(packets[0], '4first');
      assert.deepEqual(packets.slice(1).sort(), texts.sort());
      await assertAlive(session);
    });

    test('one whose body breaks off ends the session, and those behind it get 400', ends, async () => {
      const session = await polling();
      const first = await holdPost(session, body('4first'));
      const second = await session.hold({ method: 'POST', body: body('4second') });
      drop(first);
      assert.equal((await second.response).status, 400);
      assert.equal(await logs.reason(session.sid), 'transport error');
    });

    test('more than 16: the last gets 400 and the session is closed', async () => {
      const session = await polling();
      // Each has begun and its body never ends.
      const sixteen = Array.from({ length: 16 }, () => holdPost(session, body('4held')));
      const held = await Promise.all(sixteen);
      assert.equal((await session.post(body('4hello'))).status, 400);
      await assertClosed(session);
      for (const { request } of held) request.destroy();
    });
  });

  describe('close by the client', { concurrency: true }, () => {
    test('GET first: the pending GET gets 6, the POST ok, the next request 400', async () => {
      const session = await polling();
      const held = await session.hold();
      const posted = await session.post(body('1'));
      assert.deepEqual([posted.status, posted.text], [200, 'ok']);
      const { status, text } = await held.response;
      assert.deepEqual([status, text], [200, body('6')]);
      await assertClosed(session);
      assert.equal(await logs.reason(session.sid), 'transport close');
    });

    const forgets = differs('answers such a GET with 400');

    test('POST first: a GET moments after it gets 200 with 6, once', forgets, async () => {
      const session = await polling();
      await session.send('1');
      const { status, text } = await session.get();
      assert.deepEqual([status, text], [200, body('6')]);
      await assertClosed(session);
    });

    test('both at the same moment: the GET gets 6 all the same', forgets, async () => {
      for (let round = 0; round < 5; round += 1) {
        const session = await polling();
        const [polled] = await Promise.all([session.get(), session.post(body('1'))]);
        assert.deepEqual([polled.status, polled.text], [200, body('6')]);
        await assertClosed(session);
      }
    });

    test('what stands before the close is delivered, what follows is not', async () => {
      const witness = await websocket();
      const session = await polling();
      const tell = (text) => `4cmd:send ${witness.sid} ${text}`;
      await session.post(body(tell('before'), '1', tell('after')));
      assert.equal(await witness.next(), '4before');
      assert.equal(await logs.reason(session.sid), 'transport close');
      await assertEchoes(witness, '4last');
      witness.close();
    });

    const waits = differs('ignores the packet there and waits for the close');
    test('by WebSocket with the packet 1: closed, "transport close"', waits, async () => {
      const peer = await websocket();
      peer.send('1');
      await peer.end();
      assert.equal(await logs.reason(peer.sid), 'transport close');
    });

    test('by the WebSocket close itself: "transport close"', async () => {
      const peer = await websocket();
      peer.close();
      assert.equal(await logs.reason(peer.sid), 'transport close');
      const { code } = await peer.end();
      assert.notEqual(code, 1006);
    });

    test('by a connection that breaks: the session ends', async () => {
      const peer = await websocket();
      peer.socket._socket.resetAndDestroy();
      assert.match(await logs.reason(peer.sid), /^transport (close|error)$/);
    });
  });

  describe('close by the server', { concurrency: true }, () => {
    test('with a pending GET: it gets 1', async () => {
      const session = await polling();
      const held = await session.hold();
      await session.send('4cmd:close');
      const { status, text } = await held.response;
      assert.deepEqual([status, text], [200, body('1')]);
      await assertClosed(session);
      assert.equal(await logs.reason(session.sid), 'forced close');
    });

    test('with none pending: 1 ends the next payload', async () => {
      const session = await polling();
      await session.send('4cmd:close');
      const packets = await session.poll();
      assert.equal(packets.at(-1), '1');
      await assertClosed(session);
      assert.equal(await logs.reason(session.sid), 'forced close');
    });

    test('what was buffered is flushed before the close', async () => {
      const session = await polling();
      await session.send('4one', '4two', '4cmd:close');
      const packets = await session.poll();
      if (packets.at(-1) !== '1') packets.push(...(await session.poll()));
      assert.deepEqual(packets.filter((packet) => packet !== '6'), ['4one', '4two', '1']);
      await assertClosed(session);
    });

    test('by WebSocket: closed, with no packet', async () => {
      const peer = await websocket();
      peer.send('4cmd:close');
      const { code } = await peer.end();
      assert.ok(code === 1000 || code === 1005, `close code ${code}`);
      assert.deepEqual(peer.pending, []);
      assert.equal(await logs.reason(peer.sid), 'forced close');
    });

    test('by WebSocket: what was sent before arrives before', async () => {
      const peer = await websocket();
      peer.send('4one');
      peer.send('4two');
      peer.send('4cmd:close');
      await peer.end();
      assert.deepEqual(peer.pending, ['4one', '4two']);
    });

    test('from elsewhere in the application', async () => {
      const session = await polling();
      const held = await session.hold();
      const query = { path, sid: session.sid };
      const answer = await fetchRaw(server, { method: 'POST', path: '/disconnect', query });
      assert.equal(answer.status, 200);
      assert.equal((await held.response).text, body('1'));
      await assertClosed(session);
    });

    test('is reported once', async () => {
      const peer = await websocket();
      peer.send('4cmd:close');
      await peer.end();
      await logs.reason(peer.sid);
      await nothingComes();
      assert.equal(logs.find({ event: 'disconnect', sid: peer.sid }).length, 1);
    });
  });

  describe('a GET dropped by the client', { concurrency: true }, () => {
    test('closes the session: "transport error"', async () => {
      const session = await polling();
      const held = await session.hold();
      drop(held);
      assert.equal(await logs.reason(session.sid), 'transport error');
      await assertClosed(session);
    });
  });

  describe('a packet in the wrong direction', { concurrency: true }, () => {
    const wrong = revision === 4 ? '2' : '3';

    test('a heartbeat, by polling: closes the session', async () => {
      const session = await polling();
      await session.post(body(wrong));
      assert.equal(await logs.reason(session.sid), 'transport error');
      await assertClosed(session);
    });

    test('a heartbeat, by WebSocket: closes the session', async () => {
      const peer = await websocket();
      peer.send(wrong);
      await peer.end();
      assert.equal(await logs.reason(peer.sid), 'transport error');
    });

    for (const [name, packet] of [['noop', '6'], ['open', '0'], ['upgrade', '5']]) {
      test(`${name}, by polling: gets no 5xx and no echo`, async () => {
        const session = await polling();
        const { status } = await session.post(body(packet));
        assert.ok(status === 200 || status === 400, `status ${status}`);
        if (status === 200) await assertAlive(session);
        else await assertClosed(session);
      });
    }
  });

  describe('the session of a closed client', { concurrency: true }, () => {
    test('is gone for WebSocket as well: HTTP 400', async () => {
      const session = await polling();
      const held = await session.hold();
      await session.send('1');
      await held.response;
      const query = { EIO: revision, sid: session.sid };
      assert.equal((await refusedWebSocket(server, { path, query })).status, 400);
    });

    test('takes no POST: code 1', async () => {
      const session = await polling();
      const held = await session.hold();
      await session.send('4cmd:close');
      await held.response;
      assertError(await session.post(body('4hello')), 1);
    });
  });
});
