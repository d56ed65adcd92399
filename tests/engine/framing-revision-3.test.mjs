// Revision 3: lengths before packets, two payload forms, a type byte in frames.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { assertClosed, assertEchoes } from '../harness/engine/expect.mjs';
import { encodeBinary } from '../harness/engine/payload.mjs';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { differs } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const revision = 3;
const octets = { 'content-type': 'application/octet-stream' };
const open = (options) => openPolling(server, { revision, ...options });

describe('the form of a payload', { concurrency: true }, () => {
  const mirrors = differs('answers text with text');

  test('a client that sends the time is a library, and gets bytes', mirrors, async () => {
    const query = { t: 'Pq1xyz' };
    const session = await open({ query });
    assert.equal(session.answer.headers['content-type'], 'application/octet-stream');
    await session.post('3:4€5');
    const { headers, body } = await session.get({ query });
    assert.equal(headers['content-type'], 'application/octet-stream');
    assert.deepEqual(body, Buffer.concat([Buffer.from([0, 5, 255]), Buffer.from('4€5')]));
  });

  test('one that takes no binary gets text all the same', async () => {
    const query = { t: 'Pq1xyz', b64: 1 };
    const session = await open({ query });
    await session.post('3:4€5');
    assert.equal((await session.get({ query })).text, '3:4€5');
  });
});

describe('text payload', { concurrency: true }, () => {
  test('a packet goes as <len>:<packet>, both ways', async () => {
    const session = await open();
    assert.equal((await session.post('6:4hello')).text, 'ok');
    assert.equal((await session.get()).text, '6:4hello');
  });

  test('several packets follow each other, in order', async () => {
    const session = await open();
    await session.post('6:4test16:4test26:4test3');
    assert.equal((await session.get()).text, '6:4test16:4test26:4test3');
  });

  test('len counts UTF-16 code units: outside the BMP a character counts 2', async () => {
    const session = await open();
    await session.post('4:4🦔é3:4€!');
    assert.equal((await session.get()).text, '4:4🦔é3:4€!');
  });

  test('a colon and digits in the data are data', async () => {
    const session = await open();
    await session.post('8:43:4a5:x2:4b');
    assert.deepEqual(await session.poll(), ['43:4a5:x', '4b']);
  });

  test('an empty message is a message', async () => {
    const session = await open();
    await session.post('1:46:4after');
    assert.equal((await session.get()).text, '1:46:4after');
  });

  test('binary within text is <len>:b<type><base64>, len with b and type', async () => {
    const session = await open({ query: { b64: 1 } });
    await session.post('6:4hello10:b4AQIDBA==');
    const answer = await session.get();
    assert.equal(answer.text, '6:4hello10:b4AQIDBA==');
    assert.equal(answer.headers['content-type'], 'text/plain; charset=UTF-8');
  });
});

describe('binary payload', { concurrency: true }, () => {
  test('an answer with a binary packet is binary, byte by byte', async () => {
    const session = await open();
    await session.post('6:4hello10:b4AQIDBA==');
    const answer = await session.get();
    const expected = [0, 6, 255, 52, 104, 101, 108, 108, 111, 1, 5, 255, 4, 1, 2, 3, 4];
    assert.deepEqual([...answer.body], expected);
    assert.equal(answer.headers['content-type'], 'application/octet-stream');
  });

  test('an answer without one stays text', async () => {
    const session = await open();
    await session.post('6:4hello');
    const answer = await session.get();
    assert.equal(answer.text, '6:4hello');
    assert.equal(answer.headers['content-type'], 'text/plain; charset=UTF-8');
  });

  test('string lengths count bytes of UTF-8 here', async () => {
    const session = await open();
    const payload = encodeBinary(['4€🦔', Buffer.of(255, 0)]);
    assert.deepEqual([...payload.subarray(0, 4)], [0, 8, 255, 52]);
    assert.equal((await session.post(payload, { headers: octets })).text, 'ok');
    assert.deepEqual((await session.get()).body, payload);
  });

  test('lengths of several digits are one raw byte each', async () => {
    const session = await open();
    const payload = encodeBinary([Buffer.alloc(1_233, 7)]);
    assert.deepEqual([...payload.subarray(0, 6)], [1, 1, 2, 3, 4, 255]);
    await session.post(payload, { headers: octets });
    assert.deepEqual((await session.get()).body, payload);
  });

  test('is taken in POST as well, strings alone included', async () => {
    const session = await open();
    await session.post(encodeBinary(['4a', '4b']), { headers: octets });
    assert.deepEqual(await session.poll(), ['4a', '4b']);
  });

  test('an empty binary message is a message', async () => {
    const session = await open();
    await session.post(encodeBinary([Buffer.alloc(0)]), { headers: octets });
    assert.deepEqual([...(await session.get()).body], [1, 1, 255, 4]);
  });
});

describe('b64', { concurrency: true }, () => {
  test('on the handshake: answers are text, binary as base64', async () => {
    const session = await open({ query: { b64: 1 } });
    await session.post(encodeBinary([Buffer.of(1, 2, 3, 4)]), { headers: octets });
    assert.equal((await session.get()).text, '10:b4AQIDBA==');
  });

  test('on a later request alone: changes nothing', async () => {
    const session = await open();
    await session.post('10:b4AQIDBA==');
    const answer = await session.get({ query: { b64: 1 } });
    assert.equal(answer.headers['content-type'], 'application/octet-stream');
  });

  test('empty on the handshake: is not given', async () => {
    const session = await open({ query: { b64: '' } });
    await session.post('10:b4AQIDBA==');
    assert.equal((await session.get()).headers['content-type'], 'application/octet-stream');
  });

  test('on WebSocket: binary goes as the text frame b4<base64>, both ways', async () => {
    const peer = await openSession(server, { revision, query: { b64: 1 } });
    peer.send('b4AQIDBA==');
    assert.equal(await peer.next(), 'b4AQIDBA==');
    peer.close();
  });

  test('holds for the WebSocket of an upgrade that asks for it', async () => {
    const session = await open({ query: { b64: 1 } });
    const peer = await session.upgrade({ query: { b64: 1 } });
    peer.send('2probe');
    assert.equal(await peer.next(), '3probe');
    peer.send('5');
    peer.send('b4AQIDBA==');
    assert.equal(await peer.next(), 'b4AQIDBA==');
    peer.close();
  });
});

describe('WebSocket', { concurrency: true }, () => {
  test('a text message is the text frame 4<data>, both ways', async () => {
    const peer = await openSession(server, { revision });
    await assertEchoes(peer, '4€🦔');
    peer.close();
  });

  test('a binary frame begins with the type byte, both ways', async () => {
    const peer = await openSession(server, { revision });
    peer.send(Buffer.of(4, 1, 2, 3));
    assert.deepEqual(await peer.next(), Buffer.of(4, 1, 2, 3));
    peer.close();
  });

  test('an empty binary message is its type byte', async () => {
    const peer = await openSession(server, { revision });
    peer.send(Buffer.of(4));
    assert.deepEqual(await peer.next(), Buffer.of(4));
    peer.close();
  });

  for (const [name, frame] of [
    ['an unknown type', 'abc'],
    ['an empty frame', ''],
    ['an unknown type byte', Buffer.of(9, 1)],
    ['an empty binary frame', Buffer.alloc(0)],
  ]) {
    const lenient = Buffer.isBuffer(frame) ? differs('looks only at the text of packets here') : {};
    test(`${name} closes the session with "parse error"`, lenient, async () => {
      const peer = await openSession(server, { revision });
      peer.send(frame);
      await peer.end();
      assert.equal(await server.logs.reason(peer.sid), 'parse error');
    });
  }
});

describe('one parse error, session closed', { concurrency: true }, () => {
  const bad = {
    'an empty payload': '',
    'no length': '4hello',
    'a length that is no number': 'x:4hello',
    'a length too long': '9:4hello',
    'a length too short': '3:4hello',
    'length zero': '0:',
    'a negative length': '-1:4',
    'a length with a plus sign': '+6:4hello',
    'a length beyond all bounds': `${'9'.repeat(400)}:4hello`,
    'a length that splits a surrogate pair': '2:4🦔',
    'an unknown packet type': '6:xhello',
    'half a packet at the end': '6:4hello3',
  };
  const forgiven = ['length zero', 'a length with a plus sign'];
  for (const [name, body] of Object.entries(bad)) {
    const lenient = forgiven.includes(name) ? differs('forgives it') : {};
    test(name, lenient, async () => {
      const session = await open();
      await session.post(body);
      assert.equal(await server.logs.reason(session.sid), 'parse error');
      await assertClosed(session);
      assert.equal(server.logs.find({ event: 'disconnect', sid: session.sid }).length, 1);
    });
  }

  const badBinary = {
    'a kind that is neither 0 nor 1': [2, 1, 255, 52],
    'no end of the length': [0, 1, 2, 3],
    'a length digit above 9': [0, 10, 255, 52],
    'a length too long (binary)': [0, 5, 255, 52, 97],
    'a length of 400 digits': [0, ...Array(400).fill(9), 255, 52],
    'a string that is no UTF-8': [0, 3, 255, 52, 0xff, 0xfe],
  };
  for (const [name, bytes] of Object.entries(badBinary)) {
    test(name, differs('forgives parts of it, or throws'), async () => {
      const session = await open();
      const answer = await session.post(Buffer.from(bytes), { headers: octets });
      assert.equal(answer.status, 400);
      assert.equal(await server.logs.reason(session.sid), 'parse error');
      await assertClosed(session);
    });
  }
});
