// Revision 4: packets joined by 0x1e, binary as base64, plain WebSocket frames.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertClosed, assertEchoes, assertError } from '../harness/engine/expect.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { differs } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

const RECORD = '\x1e';
const UNICODE = '€ é 日本 🦔 \u2028\u2029 \u0000 end';

describe('polling', { concurrency: true }, () => {
  test('a text message goes as 4<data>, both ways', async () => {
    const session = await openPolling(server);
    assert.equal((await session.post('4hello')).text, 'ok');
    assert.equal((await session.get()).text, '4hello');
  });

  test('several packets are joined by 0x1e, both ways and in order', async () => {
    const session = await openPolling(server);
    const payload = ['4one', '4two', '4three'].join(RECORD);
    assert.equal((await session.post(payload)).text, 'ok');
    assert.equal((await session.get()).text, payload);
  });

  test('a binary message goes as b<base64> with no type digit, both ways', async () => {
    const session = await openPolling(server);
    assert.equal((await session.post('bAQIDBA==')).text, 'ok');
    const answer = await session.get();
    assert.equal(answer.text, 'bAQIDBA==');
    assert.equal(answer.headers['content-type'], 'text/plain; charset=UTF-8');
  });

  test('base64 is of the standard alphabet, padded', async () => {
    const session = await openPolling(server);
    await session.post('b+/+/+/8=');
    assert.equal((await session.get()).text, 'b+/+/+/8=');
  });

  test('text and binary share a payload', async () => {
    const session = await openPolling(server);
    await session.post(`4hello${RECORD}bAQIDBA==`);
    assert.equal((await session.get()).text, `4hello${RECORD}bAQIDBA==`);
  });

  test('an empty message is a message', async () => {
    const session = await openPolling(server);
    await session.post(`4${RECORD}4after`);
    assert.deepEqual(await session.poll(), ['4', '4after']);
  });

  test('an empty binary message is a message', async () => {
    const session = await openPolling(server);
    await session.post(`b${RECORD}4after`);
    assert.deepEqual(await session.poll(), [Buffer.alloc(0), '4after']);
  });

  test('Unicode comes back byte by byte', async () => {
    const session = await openPolling(server);
    await session.post(`4${UNICODE}`);
    assert.deepEqual((await session.get()).body, Buffer.from(`4${UNICODE}`));
  });

  test('a body without a content type is text', async () => {
    const session = await openPolling(server);
    const query = { EIO: 4, transport: 'polling', sid: session.sid };
    const answer = await fetchRaw(server, { method: 'POST', path: session.path, query, body: '4hi' });
    assert.equal(answer.text, 'ok');
    assert.equal((await session.get()).text, '4hi');
  });

  test('an unknown packet type closes the session with "parse error"', async () => {
    const session = await openPolling(server);
    await session.post('abc');
    assert.equal(await server.logs.reason(session.sid), 'parse error');
    await assertClosed(session);
  });

  const answersOk = differs('answers the bad POST with "ok"');

  test('the POST that carried a bad packet gets 400', answersOk, async () => {
    const session = await openPolling(server);
    assert.equal((await session.post('abc')).status, 400);
    await assertClosed(session);
  });

  test('an empty body closes the session with "parse error"', async () => {
    const session = await openPolling(server);
    await session.post('');
    assert.equal(await server.logs.reason(session.sid), 'parse error');
    await assertClosed(session);
  });

  test('an empty packet between two closes it too', async () => {
    const session = await openPolling(server);
    await session.post(`4one${RECORD}${RECORD}4two`);
    assert.equal(await server.logs.reason(session.sid), 'parse error');
    await assertClosed(session);
  });

  test('decoding stops at the first bad packet: those before it are delivered', async () => {
    const witness = await openSession(server);
    const session = await openPolling(server);
    const packets = [`4cmd:send ${witness.sid} before`, 'x', `4cmd:send ${witness.sid} after`];
    await session.post(packets.join(RECORD));
    await assertClosed(session);
    assert.equal(await witness.next(), '4before');
    await assertEchoes(witness, '4last');
    witness.close();
  });

  test('application/octet-stream: 400, and the session is closed', async () => {
    const session = await openPolling(server);
    const headers = { 'content-type': 'application/octet-stream' };
    assert.equal((await session.post(Buffer.of(4, 1, 2), { headers })).status, 400);
    await assertClosed(session);
  });

  test('bad base64 is a parse error', differs('decodes what it can'), async () => {
    const session = await openPolling(server);
    assert.equal((await session.post('b!!!!')).status, 400);
    await assertClosed(session);
  });

  for (const [name, packet] of [['open', '0{}'], ['pong with data', '3probe']]) {
    test(`a packet in the wrong state (${name}) never gets a 5xx`, async () => {
      const session = await openPolling(server);
      const { status } = await session.post(packet);
      assert.ok(status === 200 || status === 400, `status ${status}`);
    });
  }
});

describe('WebSocket', { concurrency: true }, () => {
  test('a text message is the text frame 4<data>, both ways', async () => {
    const peer = await openSession(server);
    await assertEchoes(peer, `4${UNICODE}`);
    peer.close();
  });

  test('a binary message is the bytes alone, both ways', async () => {
    const peer = await openSession(server);
    peer.send(Buffer.of(1, 2, 3, 4));
    assert.deepEqual(await peer.next(), Buffer.of(1, 2, 3, 4));
    peer.close();
  });

  test('an empty message and an empty binary message are messages', async () => {
    const peer = await openSession(server);
    peer.send('4');
    peer.send(Buffer.alloc(0));
    assert.equal(await peer.next(), '4');
    assert.deepEqual(await peer.next(), Buffer.alloc(0));
    peer.close();
  });

  test('0x1e means nothing here', async () => {
    const peer = await openSession(server);
    await assertEchoes(peer, `4a${RECORD}4b`);
    peer.close();
  });

  test('a base64 packet is a binary message here too', async () => {
    const peer = await openSession(server);
    peer.send('bAQIDBA==');
    assert.deepEqual(await peer.next(), Buffer.of(1, 2, 3, 4));
    peer.close();
  });

  for (const frame of ['abc', '', '7', 'é1234', '\u0000']) {
    test(`${JSON.stringify(frame)} closes the session with "parse error"`, async () => {
      const peer = await openSession(server);
      peer.send(frame);
      await peer.end();
      assert.equal(await server.logs.reason(peer.sid), 'parse error');
    });
  }

  test('messages arrive in the order they were sent', async () => {
    const peer = await openSession(server);
    const frames = Array.from({ length: 200 }, (_, index) => `4${index}`);
    for (const frame of frames) peer.send(frame);
    for (const frame of frames) assert.equal(await peer.next(), frame);
    peer.close();
  });
});

test('a refused packet is answered with the protocol error of a bad request', differs('answers "ok"'), async () => {
  const session = await openPolling(server);
  assertError(await session.post('abc'), 3);
});
