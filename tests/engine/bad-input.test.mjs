// Nothing that a client sends may panic or hang the server, get a 5xx, or be
// noticed by another session. Each case says what such a client gets.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { bystanders } from '../harness/engine/bystanders.mjs';
import { assertAlive, assertClosed, assertEchoes, assertError } from '../harness/engine/expect.mjs';
import { eachRevision } from '../harness/engine/revisions.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { extent } from '../harness/extent.mjs';
import { SEED, nonsense, pick, random } from '../harness/random.mjs';
import { startServer } from '../harness/server.mjs';
import { differs } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';
import { openWebSocket, refusedWebSocket } from '../harness/wire/websocket.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/sleepy/';
const { logs } = server;

/** Neither a 5xx nor anything but an answer of the protocol. */
function assertPolite({ status, text }) {
  assert.ok([200, 400, 403, 413].includes(status), `status ${status}: ${text}`);
}

// The client closes the socket itself, so that nothing is left for the pings.
const opened = new Set();
after(() => opened.forEach((peer) => peer.destroy()));
async function peerOf(opening) {
  const peer = await opening;
  opened.add(peer);
  return peer;
}

eachRevision(server, path, ({ revision, polling, websocket, body }) => {
  test(`nonsense by POST (seed ${SEED}): 200 or 400, never more`, async () => {
    const next = random(SEED + revision);
    const others = await bystanders(server, { revision, path });
    const types = [
      'text/plain;charset=UTF-8',
      'application/octet-stream',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'x/y; charset=utf-16',
      '',
    ];
    let session = await polling();
    for (let round = 0; round < extent(100, 250); round += 1) {
      const query = next() < 0.1 ? { j: pick(next, ['0', 'x', '']) } : {};
      const headers = { 'content-type': pick(next, types) };
      const answer = await session.post(nonsense(next), { headers, query });
      assertPolite(answer);
      if (answer.status === 400) session = await polling();
      if (round % 20 === 19) await others.check();
    }
    await others.leave();
  });

  test(`nonsense by WebSocket (seed ${SEED}): an echo or a close`, async () => {
    const next = random(SEED * 2 + revision);
    const others = await bystanders(server, { revision, path });
    for (let round = 0; round < extent(25, 60); round += 1) {
      const peer = await peerOf(websocket());
      for (let frame = 0; frame < 5; frame += 1) {
        const bytes = nonsense(next);
        peer.send(next() < 0.7 ? bytes.toString() : bytes);
      }
      peer.close();
      await peer.end();
      if (round % 10 === 9) await others.check();
    }
    await others.check();
    await others.leave();
  });

  test(`nonsense while probing (seed ${SEED}): polling goes on`, async () => {
    const next = random(SEED * 3 + revision);
    const session = await polling();
    for (let round = 0; round < extent(6, 15); round += 1) {
      const peer = await peerOf(session.upgrade());
      peer.send(`7${nonsense(next)}`);
      await peer.end();
    }
    await assertAlive(session);
  });

  test('a WebSocket frame that is no UTF-8: that WebSocket is closed', async () => {
    const others = await bystanders(server, { revision, path });
    const peer = await peerOf(websocket());
    // ED A0 80 would be the lone surrogate U+D800.
    const mask = Buffer.alloc(4);
    const payload = Buffer.from([0x34, 0xed, 0xa0, 0x80]);
    peer.socket._socket.write(Buffer.concat([Buffer.of(0x81, 0x80 | payload.length), mask, payload]));
    const frame = await Promise.race([peer.next().catch(() => null), peer.end().then(() => null)]);
    // workerd replaces what is no UTF-8 by U+FFFD; other servers close with 1007.
    assert.ok(frame === null || frame === '4\ufffd\ufffd\ufffd', String(frame));
    await others.check();
    await others.leave();
  });

  test('a body that is no UTF-8: 200 or 400, and no 5xx', async () => {
    const session = await polling();
    const payload = Buffer.concat([Buffer.from(revision === 3 ? '4:4' : '4'), Buffer.of(0xed, 0xa0, 0x80)]);
    assertPolite(await session.post(payload));
  });

  test('a JSON tree a hundred thousand levels deep is text like any other', async () => {
    const session = await polling();
    const deep = `4${'['.repeat(100_000)}`;
    await session.send(deep);
    assert.deepEqual(await session.poll(), [deep]);
  });

  test('a payload of a hundred thousand packets: 200 or 400, and the server lives', async () => {
    const others = await bystanders(server, { revision, path });
    const session = await polling();
    const packet = revision === 3 ? '1:4' : '4\x1e';
    assertPolite(await session.post(packet.repeat(100_000) + body('4')));
    await others.check();
    await others.leave();
  });

  test('a huge body: 413 or a cut connection, and the session stays', async () => {
    const session = await polling();
    try {
      const answer = await session.post(Buffer.alloc(20_000_000, 0x34));
      assert.equal(answer.status, 413);
    } catch (error) {
      // A server may close before it has read what it will not take.
      assert.match(error.code, /^(ECONNRESET|EPIPE)$/, error.message);
    }
    await assertAlive(session);
  });

  test('a WebSocket frame of 33 MiB: closed, and nobody else notices', async () => {
    const others = await bystanders(server, { revision, path });
    const peer = await peerOf(websocket());
    peer.socket.on('error', () => {});
    peer.send(Buffer.alloc(33 * 1024 * 1024, 4));
    await peer.end();
    assert.ok(await logs.reason(peer.sid));
    await others.check();
    await others.leave();
  });

  test('a thousand parallel requests on one sid: each is answered', async () => {
    const others = await bystanders(server, { revision, path });
    const session = await polling();
    const requests = Array.from({ length: 1_000 }, (_, index) =>
      index % 3 ? session.get() : session.post(body('4hello')),
    );
    const statuses = new Set((await Promise.all(requests)).map(({ status }) => status));
    for (const status of statuses) assert.ok([200, 400].includes(status), `status ${status}`);
    assert.ok(statuses.has(400), 'the session survived so many requests at once');
    await assertClosed(session);
    await others.check();
    await others.leave();
  });

  test('a thousand handshakes that nobody follows up: each is answered', async () => {
    const others = await bystanders(server, { revision, path });
    let at = 0;
    const worker = async () => {
      while (at < 1_000) {
        at += 1;
        await polling();
      }
    };
    await Promise.all(Array.from({ length: 25 }, worker));
    await others.check();
    await others.leave();
  });
});

describe('forged and foreign session ids', { concurrency: true }, () => {
  const query = { EIO: 4, transport: 'polling' };
  const forged = {
    'an object that never was': Buffer.alloc(32, 7).toString('base64url') + 'A'.repeat(16),
    'no base64url': '!'.repeat(59),
    'base64 of the other alphabet': '+/'.repeat(29),
    'one character': 'a',
    'the length of an object alone': 'A'.repeat(43),
    'ten thousand characters': 'A'.repeat(10_000),
    'a path': '../../../../etc/passwd',
    'Unicode': '🦔'.repeat(15),
    'a NUL': '\u0000'.repeat(59),
  };
  for (const [name, sid] of Object.entries(forged)) {
    test(`${name}: code 1 by polling, HTTP 400 by WebSocket`, async () => {
      const forgery = { ...query, sid };
      assertError(await fetchRaw(server, { path, query: forgery }), 1);
      const posted = await fetchRaw(server, { path, query: forgery, method: 'POST', body: '4x' });
      assertError(posted, 1);
      const refused = await refusedWebSocket(server, { path, query: { EIO: 4, sid } });
      assert.equal(refused.status, 400);
    });
  }

  test('a session is not reached through another case or padding of its id', async () => {
    const session = await openPolling(server, { path });
    for (const sid of [`${session.sid}=`, `${session.sid}A`, session.sid.slice(0, -1), ` ${session.sid}`]) {
      assertError(await fetchRaw(server, { path, query: { ...query, sid } }), 1);
    }
    await assertAlive(session);
  });

  test('the session of another client cannot be upgraded twice', async () => {
    const session = await openPolling(server, { path });
    const mine = await session.upgraded();
    const theirs = await openWebSocket(server, { path, query: { EIO: 4, sid: session.sid } }).catch(
      () => undefined,
    );
    theirs?.send('2probe');
    await assertEchoes(mine);
    theirs?.destroy();
    mine.close();
  });
});

describe('requests of no sensible form', { concurrency: true }, () => {
  for (const query of ['', '=', '&&&', 'transport', '%', 'EIO=4&transport=%', `x=${'y'.repeat(8_000)}`]) {
    test(`the query "${query.slice(0, 20)}": code 0`, async () => {
      assertError(await fetchRaw(server, { path, query }), 0);
    });
  }

  test('a thousand query parameters are read', async () => {
    const many = Array.from({ length: 1_000 }, (_, index) => `p${index}=${index}`).join('&');
    const answer = await fetchRaw(server, { path, query: `${many}&EIO=4&transport=polling` });
    assert.equal(answer.status, 200);
  });

  test('an Upgrade header on polling: no 101, no 5xx', async () => {
    const headers = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
    const query = { EIO: 4, transport: 'polling' };
    const answer = await fetchRaw(server, { path, query, headers });
    assert.ok(answer.status < 500, `status ${answer.status}`);
  });

  test('an Upgrade to something else: HTTP 400', differs('leaves it to ws'), async () => {
    const headers = { connection: 'Upgrade', upgrade: 'h2c' };
    const query = { EIO: 4, transport: 'websocket' };
    assertError(await fetchRaw(server, { path, query, headers }), 3);
  });
});

test('a WebSocket client that never reads is closed at a bound', differs('has no bound'), async () => {
  const others = await bystanders(server, { path });
  const peer = await peerOf(openSession(server, { path }));
  peer.socket.pause();
  // 100 MB that nobody takes, asked for in a few bytes each.
  for (let round = 0; round < 110; round += 1) peer.send('4cmd:big 900000');
  assert.ok(await logs.reason(peer.sid));
  await others.check();
  await others.leave();
});

test('a polling client that never polls is closed at a bound', differs('has no bound'), async () => {
  const others = await bystanders(server, { path });
  const session = await openPolling(server, { path });
  let status = 200;
  for (let round = 0; round < 110 && status === 200; round += 1) {
    ({ status } = await session.post('4cmd:big 900000'));
  }
  assert.ok(await logs.reason(session.sid));
  await assertClosed(session);
  await others.check();
  await others.leave();
});
