// The scenarios that every Engine.IO client must pass, whatever its transport and whether
// the server sleeps in between. `pause` is called between any two steps.

import assert from 'node:assert/strict';
import { fetchRaw } from '../wire/http.mjs';
import { EVERY_BYTE, UNICODE } from '../wire/samples.mjs';

const BIG = 900_000;

/** name → what to do with `{ client, server, path, pause, way }`. */
export const scenarios = {
  text: echoes('hello', '', 'b4AQIDBA==', '1:2'),
  binary: echoes(Buffer.of(1, 2, 3, 4), Buffer.alloc(0), EVERY_BYTE),
  Unicode: echoes(UNICODE, '🦔'.repeat(1_000)),

  async 'text and binary keep their order'({ client, pause }) {
    const messages = ['one', Buffer.of(2), 'three', Buffer.of(4), 'five'];
    for (const message of messages) client.send(message);
    await pause();
    for (const message of messages) assert.deepEqual(await client.next(), message);
  },

  'a text of 900 kB': echoes('x'.repeat(BIG)),

  async 'a text of 900 kB that only the server sends'({ client, pause }) {
    client.send(`cmd:big ${BIG}`);
    await pause();
    assert.equal(await client.next(), 'x'.repeat(BIG));
  },

  async 'binary of 900 kB'({ client, pause, way }) {
    // As base64 in a POST it would be beyond the payload limit of 1,000,000.
    const size = way.base64 ? 700_000 : BIG;
    const sent = Buffer.alloc(size, 0x2b);
    client.send(sent);
    await pause();
    assert.deepEqual(await client.next(), sent);
    await pause();
    client.send(`cmd:bigbin ${BIG}`);
    assert.deepEqual(await client.next(), Buffer.alloc(BIG, 0x2a));
  },

  async JSON({ client, pause }) {
    await pause();
    client.send('cmd:json');
    assert.equal(await client.next(), '{"a":1,"b":[true,null]}');
  },

  async 'a burst of a hundred from the server, in order'({ client, pause }) {
    client.send('cmd:burst 100');
    await pause();
    for (let index = 0; index < 100; index += 1) assert.equal(await client.next(), String(index));
  },

  async 'a burst of a hundred from the client, in order'({ client, pause }) {
    for (let index = 0; index < 100; index += 1) client.send(`m${index}`);
    await pause();
    for (let index = 0; index < 100; index += 1) assert.equal(await client.next(), `m${index}`);
  },

  async 'a message from another route of the Worker'({ client, server, path, pause }) {
    await pause();
    const query = { path, sid: client.sid };
    const body = 'from elsewhere €';
    const answer = await fetchRaw(server, { method: 'POST', path: '/send', query, body });
    assert.equal(answer.status, 200);
    assert.equal(await client.next(), body);
  },

  async 'a message from another session'({ client, other, pause }) {
    await pause();
    other.send(`cmd:send ${client.sid} hello from a peer`);
    assert.equal(await client.next(), 'hello from a peer');
    assert.equal(await other.next(), 'sent');
  },

  async 'a message that a background task sends later'({ client }) {
    client.send('cmd:task 30 later');
    assert.equal(await client.next(), 'later');
  },

  async 'the user session'({ client, pause }) {
    const ask = async (command) => {
      await pause();
      client.send(`cmd:session ${command}`);
      return client.next();
    };
    assert.equal(await ask('get'), 'none');
    assert.equal(await ask('set a b'), 'saved');
    assert.equal(await ask('get'), 'a b');
    assert.equal(await ask('edit  c'), 'a b c');
    assert.equal(await ask('get'), 'a b c');
  },

  async 'the transport'({ client, way, pause }) {
    await pause();
    client.send('cmd:transport');
    assert.equal(await client.next(), way.ends);
    assert.equal(client.transport, way.ends);
  },

  async 'close by the client'({ client, server, pause }) {
    await pause();
    client.close();
    assert.equal(await client.end(), 'forced close');
    assert.equal(await server.logs.reason(client.sid), 'transport close');
  },

  async 'close by the server'({ client, server, pause }) {
    await pause();
    client.send('cmd:close');
    assert.equal(await client.end(), 'transport close');
    assert.equal(await server.logs.reason(client.sid), 'forced close');
  },

  async 'what was sent before the server closes arrives'({ client }) {
    client.send('one');
    client.send('two');
    client.send('cmd:close');
    await client.end();
    assert.deepEqual(client.pending, ['one', 'two']);
  },

  async 'reconnecting after a close'({ client, server, pause }) {
    const { sid } = client;
    client.send('cmd:session set old');
    assert.equal(await client.next(), 'saved');
    client.close();
    await client.end();
    await server.logs.reason(sid);
    await pause();
    await client.open();
    assert.notEqual(client.sid, sid);
    client.send('cmd:session get');
    assert.equal(await client.next(), 'none');
  },
};

/** Each message comes back as it was. */
function echoes(...messages) {
  return async ({ client, pause }) => {
    for (const message of messages) {
      await pause();
      client.send(message);
      assert.deepEqual(await client.next(), message);
    }
  };
}
