// From polling to WebSocket.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { pass } from '../harness/delays.mjs';
import { assertAlive, assertClosed, assertEchoes, assertError } from '../harness/engine/expect.mjs';
import { eachRevision } from '../harness/engine/revisions.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { differs } from '../harness/target.mjs';
import { within } from '#dormouse-test/wait.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';
import { openWebSocket, refusedWebSocket } from '../harness/wire/websocket.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/sleepy/';
const { logs } = server;
/** Between upgrades whose timeouts must not be mistaken for each other, in milliseconds. */
const APART = 100;

/** The probing socket ends, by refusal or by close, and nothing else does. */
async function endsAlone(opening) {
  try {
    await (await opening).end();
  } catch (error) {
    assert.equal(error.answer?.status, 400, error.message);
  }
}

eachRevision(server, path, ({ revision, polling, websocket, body }) => {
  async function probing() {
    const session = await polling();
    const peer = await session.upgrade();
    peer.send('2probe');
    assert.equal(await peer.next(), '3probe');
    return { session, peer };
  }

  /** Until the server has noticed that the WebSocket before is gone, it refuses another. */
  async function probeAgain(session) {
    for (;;) {
      const peer = await session.upgrade().catch(({ answer }) => assert.equal(answer?.status, 400));
      peer?.send('2probe');
      const answer = await peer?.next().catch(() => 'closed');
      if (answer === '3probe') return peer;
    }
  }

  async function transportOf(sid) {
    const answer = await fetchRaw(server, { path: '/transport', query: { path, sid } });
    return answer.text;
  }

  test('no packet comes before the probe, and 2probe gets 3probe', async () => {
    const session = await polling({ query: { greet: 1 } });
    const peer = await session.upgrade();
    peer.send('2probe');
    assert.equal(await peer.next(), '3probe');
    assert.deepEqual(await session.poll(), ['4hello']);
    peer.destroy();
  });

  test('the pending GET gets 6 after the probe', async () => {
    const session = await polling();
    const held = session.poll();
    const peer = await session.upgrade();
    peer.send('2probe');
    assert.deepEqual(await held, ['6']);
    peer.destroy();
  });

  test('a GET that comes while probing gets 6 as well', async () => {
    const { session, peer } = await probing();
    assert.deepEqual(await session.poll(), ['6']);
    peer.destroy();
  });

  test('5 completes it: messages go by WebSocket, both ways', async () => {
    const { session, peer } = await probing();
    assert.equal(await transportOf(session.sid), 'polling');
    peer.send('5');
    await assertEchoes(peer);
    assert.equal(await transportOf(session.sid), 'websocket');
    await logs.waitFor({ event: 'upgrade', sid: session.sid });
    peer.close();
  });

  test('what was buffered is flushed to the WebSocket', async () => {
    const { session, peer } = await probing();
    await session.send('4one', '4two');
    peer.send('5');
    assert.equal(await peer.next(), '4one');
    assert.equal(await peer.next(), '4two');
    peer.close();
  });

  test('messages may still go by polling while probing', async () => {
    const { session, peer } = await probing();
    await session.send('4hello');
    const packets = await session.poll();
    assert.ok(packets.includes('4hello'), String(packets));
    peer.destroy();
  });

  test('no message is lost or doubled across an upgrade', async () => {
    const session = await polling();
    await session.send('40', '41');
    const peer = await session.upgrade();
    peer.send('2probe');
    await session.send('42');
    const polled = (await session.poll()).filter((packet) => packet !== '6');
    assert.equal(await peer.next(), '3probe');
    await session.send('43');
    peer.send('5');
    peer.send('44');
    const wanted = ['40', '41', '42', '43', '44'];
    const got = [...polled];
    while (got.length < wanted.length) got.push(await peer.next());
    assert.deepEqual(got, wanted);
    peer.close();
  });

  test('2probe and 5 back to back, and a GET right behind: the GET gets 400', async () => {
    const session = await polling();
    const peer = await session.upgrade();
    peer.send('2probe');
    peer.send('5');
    assertError(await session.get(), 3);
    peer.send('4hello');
    assert.equal(await peer.next(), '3probe');
    assert.equal(await peer.next(), '4hello');
    peer.close();
  });

  test('after it, polling gets 400 and the session goes on', async () => {
    const session = await polling();
    const peer = await session.upgraded();
    assertError(await session.get(), 3);
    assertError(await session.post(body('4hello')), 3);
    await assertEchoes(peer);
    peer.close();
  });

  test('a second WebSocket while upgrading: closed, the first goes on', async () => {
    const { session, peer } = await probing();
    await endsAlone(session.upgrade());
    peer.send('5');
    await assertEchoes(peer);
    peer.close();
  });

  test('a second WebSocket after the upgrade: closed, the first goes on', async () => {
    const session = await polling();
    const peer = await session.upgraded();
    await endsAlone(session.upgrade());
    await assertEchoes(peer);
    peer.close();
  });

  test('a second WebSocket for a session that began by WebSocket: closed', async () => {
    const peer = await websocket();
    const again = openWebSocket(server, { path, query: { EIO: revision, sid: peer.sid } });
    const other = await again.catch((error) => {
      assert.equal(error.answer?.status, 400, error.message);
    });
    // Whatever it says, it must not become the session's socket.
    other?.send('2probe');
    await assertEchoes(peer);
    other?.destroy();
    peer.close();
  });

  const beforeProbe = ['4hello', '2', '2nope', '3probe', '1', '6', 'abc', ''];
  for (const frame of [...beforeProbe, Buffer.of(4, 1)]) {
    test(`${JSON.stringify(frame)} instead of the probe: only that WebSocket closes`, async () => {
      const session = await polling();
      const peer = await session.upgrade();
      peer.send(frame);
      // The runtime itself answers a bare ping of revision 3, and such a WebSocket
      // closes only when the upgrade timeout (10 s) has passed.
      await peer.end('end of the probing WebSocket', 15_000);
      await assertAlive(session);
    });
  }

  for (const frame of ['4hello', '1', 'abc']) {
    test(`${JSON.stringify(frame)} after the probe: only that WebSocket closes`, async () => {
      const { session, peer } = await probing();
      peer.send(frame);
      await peer.end();
      await session.send('4alive');
      const packets = await session.poll();
      assert.deepEqual(packets.filter((packet) => packet !== '6'), ['4alive']);
    });
  }

  test('5 without the probe before it never ends polling by itself', async () => {
    const session = await polling();
    const peer = await session.upgrade();
    peer.send('5');
    peer.send('4hello');
    const answer = await Promise.race([peer.next().then(() => 'upgraded'), peer.end()]);
    // JS takes it for an upgrade; a server that insists on the probe closes.
    if (answer === 'upgraded') peer.close();
    else await assertAlive(session);
  });

  test('the probing WebSocket goes away: polling goes on', async () => {
    const { session, peer } = await probing();
    peer.destroy();
    await session.send('4alive');
    const packets = [];
    while (!packets.includes('4alive')) packets.push(...(await session.poll()));
    assert.deepEqual(packets.filter((packet) => packet !== '6'), ['4alive']);
  });

  test('after a failed upgrade a new one may succeed', async () => {
    const { session, peer } = await probing();
    peer.destroy();
    const again = await within(probeAgain(session), 'second probe');
    again.send('5');
    await assertEchoes(again);
    again.close();
  });

  // A client in the middle of an upgrade has stopped polling: only by its
  // WebSocket can it be told.
  test('the server closes in the middle: what it sent before arrives by WebSocket', async () => {
    const { session, peer } = await probing();
    await session.send('4one', '4two', '4cmd:close');
    peer.send('5');
    await peer.end();
    assert.deepEqual(peer.pending, ['4one', '4two']);
    assertError(await session.get(), 1);
    assert.equal(await logs.reason(session.sid), 'forced close');
  });

  test('the server closes in the middle, and the client polls: the GET gets it', async () => {
    const { session, peer } = await probing();
    await session.send('4one', '4two', '4cmd:close');
    const packets = await session.poll();
    if (packets.at(-1) !== '1') packets.push(...(await session.poll()));
    assert.deepEqual(packets.filter((packet) => packet !== '6'), ['4one', '4two', '1']);
    await peer.end();
    assertError(await session.get(), 1);
    assert.equal(await logs.reason(session.sid), 'forced close');
  });

  test('the session closes while probing: the WebSocket closes with it', async () => {
    const { session, peer } = await probing();
    await session.post(body('1'));
    await peer.end();
    assert.equal(await logs.reason(session.sid), 'transport close');
  });

  test('the server closes while probing: client and WebSocket learn of it', async () => {
    const { session, peer } = await probing();
    await session.send('4cmd:close');
    const packets = [];
    while (!packets.includes('1')) packets.push(...(await session.poll()));
    await peer.end();
    await assertClosed(session);
  });

  test('unknown sid: HTTP 400', async () => {
    const query = { EIO: revision, sid: 'unknown' };
    assert.equal((await refusedWebSocket(server, { path, query })).status, 400);
  });

  test('of the other revision: HTTP 400, polling goes on', async () => {
    const session = await polling();
    const query = { EIO: revision === 3 ? 4 : 3, sid: session.sid };
    assert.equal((await refusedWebSocket(server, { path, query })).status, 400);
    await assertAlive(session);
  });
});

describe('upgrade timeout', { concurrency: true }, () => {
  const strict = (options) => openPolling(server, { path: '/strict/', ...options });

  test('no probe within it: only that WebSocket closes, polling goes on', async () => {
    const session = await strict();
    const peer = await session.upgrade();
    await peer.end();
    await assertAlive(session);
  });

  test('a probe but no 5 within it: only that WebSocket closes, polling goes on', async () => {
    const session = await strict();
    const peer = await session.upgrade();
    peer.send('2probe');
    assert.equal(await peer.next(), '3probe');
    await peer.end();
    await session.send('4alive');
    const packets = await session.poll();
    assert.deepEqual(packets.filter((packet) => packet !== '6'), ['4alive']);
  });

  test('holds for those that began later, when earlier upgrades have ended', async () => {
    // Enough of each that they share their objects.
    const probing = async () => {
      const session = await strict();
      const peer = await session.upgrade();
      peer.send('2probe');
      assert.equal(await peer.next(), '3probe');
      return peer;
    };
    const many = (count) => Promise.all(Array.from({ length: count }, probing));
    const earlier = await many(24);
    await pass(APART);
    const later = await many(12);
    for (const peer of earlier) peer.send('5');
    await Promise.all(later.map((peer) => peer.end()));
    for (const peer of earlier) peer.close();
  });

  test('an upgrade completed in time is not undone by it', async () => {
    const session = await strict();
    const peer = await session.upgraded();
    // One that begins later has run out of time: so this one's time has passed.
    const late = await (await strict()).upgrade();
    await late.end();
    await assertEchoes(peer);
    peer.close();
  });
});

describe('upgrades off', { concurrency: true }, () => {
  test('a WebSocket with a sid is refused', differs('upgrades all the same'), async () => {
    const session = await openPolling(server, { path: '/noupgrade/' });
    await endsAlone(session.upgrade());
    await assertAlive(session);
  });

  test('a WebSocket of its own is fine', async () => {
    const peer = await openSession(server, { path: '/noupgrade/' });
    await assertEchoes(peer);
    peer.close();
  });
});
