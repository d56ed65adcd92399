// A server whose packets are msgpack, as socket.io-msgpack-parser has them: one
// binary message each, attachments inside.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import msgpack from 'socket.io-msgpack-parser';
import { startServer } from '../harness/server.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs } from '../harness/target.mjs';
import { UNICODE } from '../harness/wire/samples.mjs';

const server = await startServer();
after(() => server.stop());

const path = '/msgpack/';
const [CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR] = [0, 1, 2, 3, 4];

const pack = (packet) => Buffer.from(new msgpack.Encoder().encode(packet)[0]);

function unpack(bytes) {
  assert.ok(Buffer.isBuffer(bytes), `text: ${bytes}`);
  let packet;
  const decoder = new msgpack.Decoder();
  decoder.on('decoded', (decoded) => (packet = decoded));
  decoder.add(bytes);
  return packet;
}

/** What is there: to clients, absent and undefined are the same. */
const plain = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

class Player {
  constructor(client, namespace) {
    this.client = client;
    this.namespace = namespace;
  }

  async next() {
    const packet = plain(unpack(await this.client.next()));
    if (packet.type === CONNECT_ERROR) packet.data = plain(packet.data);
    return packet;
  }

  async expect(packet) {
    assert.deepEqual(await this.next(), { nsp: this.namespace, ...packet });
  }

  send(packet) {
    return this.client.send(pack({ nsp: this.namespace, ...packet }));
  }

  async emit(...data) {
    await this.send({ type: EVENT, data });
  }

  async ask(...data) {
    await this.send({ type: EVENT, id: 7, data });
    const { data: values, ...rest } = await this.next();
    assert.deepEqual(rest, { type: ACK, nsp: this.namespace, id: 7 });
    return values;
  }
}

const rules = ({ revision, asleep, open }) => {
  /** In a namespace, by what this generation sends for it. */
  const join = async (namespace = '/chat', data = {}) => {
    const client = await open();
    if (revision === 3) {
      // The greeting of `/`, and its `auth`.
      const root = new Player(client, '/');
      await root.expect({ type: CONNECT });
      await root.expect({ type: EVENT, data: ['auth', {}] });
    }
    const player = new Player(client, namespace);
    if (revision === 3 && namespace === '/') return player;
    const packet = revision === 3 ? { type: CONNECT } : { type: CONNECT, data };
    await player.send(packet);
    const answer = await player.next();
    assert.deepEqual([answer.type, answer.nsp], [CONNECT, namespace]);
    player.id = answer.data?.sid ?? `${namespace}#${client.sid}`;
    return player;
  };

  if (revision === 4) {
    test('CONNECT without data, with none, with some: the answer has the id', async () => {
      for (const extra of [{}, { data: undefined }, { data: {} }, { data: { name: 'ada' } }]) {
        const player = new Player(await open(), '/');
        await player.send({ type: CONNECT, ...extra });
        const { type, nsp, data } = await player.next();
        assert.deepEqual([type, nsp, typeof data.sid], [CONNECT, '/', 'string']);
        await player.expect({ type: EVENT, data: ['auth', extra.data ?? {}] });
      }
    });

    test('the auth is a value like any other', async () => {
      const player = new Player(await open(), '/custom');
      const auth = { text: UNICODE, number: -1.5, list: [1, null, { a: true }] };
      await player.send({ type: CONNECT, data: auth });
      await player.next();
      await player.expect({ type: EVENT, data: ['auth', auth] });
    });

    test('refused: CONNECT_ERROR with message and data', async () => {
      const player = new Player(await open(), '/refuse');
      await player.send({ type: CONNECT, data: {} });
      await player.expect({ type: CONNECT_ERROR, data: { message: 'not authorized' } });
      await player.send({ type: CONNECT, data: { data: 1 } });
      const { type, data } = await player.next();
      assert.equal(type, CONNECT_ERROR);
      assert.deepEqual(data, { message: 'not authorized', data: { content: 'Please retry later' } });
    });

    test('an unknown namespace: "Invalid namespace"', async () => {
      const player = new Player(await open(), '/random');
      await player.send({ type: CONNECT, data: {} });
      await player.expect({ type: CONNECT_ERROR, data: { message: 'Invalid namespace' } });
    });
  }

  test('events and acknowledgements', async () => {
    const player = await join();
    await player.emit('message');
    await player.expect({ type: EVENT, data: ['message-back'] });
    await player.emit('message', 1, 'two', [3]);
    await player.expect({ type: EVENT, data: ['message-back', 1, 'two', [3]] });
    assert.deepEqual(await player.ask('message-with-ack', 'é', { a: 1 }), ['é', { a: 1 }]);
    assert.deepEqual(await player.ask('echo-nothing'), []);
  });

  test('values of every kind and length', async () => {
    const player = await join();
    const numbers = [0, 1, -1, 127, 128, -32, -33, 255, 256, -128, -129, 65_535, 65_536, -32_769];
    numbers.push(2 ** 31, -(2 ** 31) - 1, 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1, 0.1, -1.5e-300, 5e-324);
    const texts = ['', UNICODE, ...[31, 32, 255, 256, 65_535, 65_536].map((length) => 'x'.repeat(length))];
    const lists = [[], [[]], ...[15, 16, 300].map((length) => Array.from({ length }, (_, index) => index))];
    const wide = (count) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
    const maps = [{}, { a: { b: { c: null } } }, wide(15), wide(16), wide(300)];
    for (const values of [numbers, texts, lists, maps, [true, false, null]]) {
      assert.deepEqual(await player.ask('message-with-ack', ...values), values);
    }
  });

  test('bytes stand among the arguments', async () => {
    const player = await join();
    const values = [Buffer.of(1, 2, 3), { deep: [Buffer.alloc(0)] }, Buffer.alloc(70_000, 9), 'text'];
    await player.emit('message', ...values);
    await player.expect({ type: EVENT, data: ['message-back', ...values] });
    assert.deepEqual(await player.ask('message-with-ack', ...values), values);
    await player.emit('big-binary', 300);
    await player.expect({ type: EVENT, data: ['big-binary', Buffer.alloc(300, 0x2a)] });
  });

  test('keys that are not texts', async () => {
    const player = await join();
    // `{type: 2, id: 7, nsp: "/chat", data: ["message-with-ack", {1: true, false: 2}]}`
    const data = Buffer.from([0x92, 0xb0, ...Buffer.from('message-with-ack'), 0x82, 0x01, 0xc3, 0xc2, 0x02]);
    const packet = pack({ type: EVENT, id: 7, nsp: '/chat', data: null });
    await player.client.send(Buffer.concat([packet.subarray(0, -1), data]));
    await player.expect({ type: ACK, id: 7, data: [{ 1: true, false: 2 }] });
  });

  test('what looks like a placeholder is data', async () => {
    const player = await join();
    const value = { _placeholder: true, num: 0 };
    assert.deepEqual(await player.ask('message-with-ack', value), [value]);
  });

  test('the server asks, the client answers', async () => {
    if (asleep) return; // A question keeps its object awake.
    const player = await join();
    await player.emit('emit-with-ack', 1);
    const { type, id, data } = await player.next();
    assert.deepEqual([type, data], [EVENT, ['emit-with-ack', 1]]);
    await player.send({ type: ACK, id, data: ['yes', Buffer.of(1)] });
    await player.expect({ type: EVENT, data: ['emit-with-ack', 'yes', Buffer.of(1)] });
  });

  test('a namespace is left, and the server disconnects', async () => {
    const player = await join();
    await player.emit('leave-me');
    await player.expect({ type: DISCONNECT });
    const other = await join();
    await other.send({ type: DISCONNECT });
    const line = await server.logs.waitFor({ event: 'disconnected', socket: other.id });
    assert.equal(line.reason, 'client namespace disconnect');
  });

  test('a room of many hears the same', async () => {
    const [one, two, three] = [await join(), await join(), await join()];
    const room = `room of ${one.client.sid}`;
    for (const member of [one, two, three]) assert.deepEqual(await member.ask('join', room), [[room]]);
    assert.deepEqual(await one.ask('cast', { to: [room] }, 'news', Buffer.of(1), 'é'), ['ok']);
    for (const member of [two, three]) {
      await member.expect({ type: EVENT, data: ['news', Buffer.of(1), 'é'] });
    }
  });

  const ignored = {
    'an ACK without a number': pack({ type: ACK, nsp: '/chat', data: ['x'] }),
    'an ACK with a number below zero': pack({ type: ACK, nsp: '/chat', id: -1, data: ['x'] }),
    'an ACK with a number past 2^53': pack({ type: ACK, nsp: '/chat', id: 2 ** 60, data: ['x'] }),
  };
  const nameless = {
    'an EVENT without a name': pack({ type: EVENT, nsp: '/chat', data: [] }),
    'an EVENT whose name is null': pack({ type: EVENT, nsp: '/chat', data: [null] }),
    'an EVENT whose name is a list': pack({ type: EVENT, nsp: '/chat', data: [[]] }),
    'a reserved name': pack({ type: EVENT, nsp: '/chat', data: ['disconnect'] }),
  };
  const checkIgnored = (message) => async () => {
    const player = await join();
    await player.client.send(message);
    assert.deepEqual(await player.ask('message-with-ack', 1), [1]);
  };
  for (const [name, message] of Object.entries(ignored)) test(`${name}: nothing`, checkIgnored(message));
  for (const [name, message] of Object.entries(nameless)) {
    test(`${name}: nothing`, differs('has handlers for any name here'), checkIgnored(message));
  }

  if (revision === 3) {
    test('a query behind the namespace: it is left all the same, and no other', async () => {
      const player = await join();
      const custom = new Player(player.client, '/custom?token=1');
      await custom.send({ type: CONNECT });
      custom.namespace = '/custom';
      await custom.expect({ type: CONNECT });
      await custom.next();
      await player.client.send(pack({ type: DISCONNECT, nsp: '/custom?token=1' }));
      assert.deepEqual(await player.ask('message-with-ack', 1), [1]);
      const id = `/custom#${player.client.sid}`;
      const line = await server.logs.waitFor({ event: 'disconnected', socket: id });
      assert.equal(line.reason, 'client namespace disconnect');
    });
  }

  test('a second CONNECT: the client joins again', differs('ends the session'), async () => {
    const player = await join();
    await player.client.send(pack({ type: CONNECT, nsp: '/chat', data: {} }));
    assert.equal((await player.next()).type, CONNECT);
    assert.deepEqual(await player.ask('message-with-ack', 1), [1]);
  });

  const nested = (depth) => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.of(0xc0)]);
  const event = pack({ type: EVENT, nsp: '/chat', data: ['message', 'text'] });
  const violations = {
    text: '2/chat,["message"]',
    'no bytes': Buffer.alloc(0),
    'a byte that means nothing': Buffer.of(0xc1),
    'a value that is no object': pack(['message']),
    'a packet that ends too early': event.subarray(0, -1),
    'a packet that goes on': Buffer.concat([event, Buffer.of(0)]),
    'a text longer than the message': Buffer.of(0xdb, 0xff, 0xff, 0xff, 0xff, 0x61),
    'a list longer than the message': Buffer.of(0xdd, 0xff, 0xff, 0xff, 0xff, 0x61),
    'an object without a type': pack({ nsp: '/chat', data: ['message'] }),
    'the type 5': pack({ type: 5, nsp: '/chat', data: ['message'] }),
    'a type below zero': pack({ type: -1, nsp: '/chat', data: ['message'] }),
    'a type that is a text': pack({ type: '2', nsp: '/chat', data: ['message'] }),
    'no namespace': pack({ type: EVENT, data: ['message'] }),
    'a namespace that is a number': pack({ type: EVENT, nsp: 1, data: ['message'] }),
    'a namespace that was not joined': pack({ type: EVENT, nsp: '/custom', data: ['message'] }),
    'an EVENT with an object': pack({ type: EVENT, nsp: '/chat', data: { 0: 'message' } }),
    'an EVENT without data': pack({ type: EVENT, nsp: '/chat' }),
    'an ACK without data': pack({ type: ACK, nsp: '/chat', id: 1 }),
    'a number that is a text': pack({ type: EVENT, nsp: '/chat', id: '1', data: ['message'] }),
    'a number with a fraction': pack({ type: EVENT, nsp: '/chat', id: 1.5, data: ['message'] }),
    'a CONNECT with a list': pack({ type: CONNECT, nsp: '/custom', data: [] }),
    'a CONNECT_ERROR': pack({ type: CONNECT_ERROR, nsp: '/chat', data: { message: 'no' } }),
    'a DISCONNECT with data': pack({ type: DISCONNECT, nsp: '/chat', data: [] }),
  };
  const ours = {
    'lists a hundred thousand deep': nested(100_000),
  };
  const check = (message) => async () => {
    const [bystander, player] = [await join(), await join()];
    await player.client.try(message);
    assert.deepEqual(await player.client.ended(), []);
    assert.deepEqual(await bystander.ask('message-with-ack', 1), [1]);
  };
  for (const [name, message] of Object.entries(violations)) test(`${name}: closed`, check(message));
  for (const [name, message] of Object.entries(ours)) {
    test(`${name}: closed`, differs('has no such rule here'), check(message));
  }
};

eachWay(server, rules, { path, revisions: [3, 4] });
