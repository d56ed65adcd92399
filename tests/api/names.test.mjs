// Names in the HTTP API that mean nothing to a server: namespaces that it does not define,
// events that nobody may send, ids of nobody. The server is the gateway, whose namespaces
// are known by their names and patterns alone.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { encode } from 'notepack.io';
import { apiOf, secret } from '../harness/api.mjs';
import { join, newest } from '../harness/clients/socket.mjs';
import { BackEnd, startGateway } from '../harness/gateway.mjs';

const backEnd = await BackEnd.start();
const gateway = await startGateway(backEnd.url, { NAMESPACES: ['/', '/room-{id}'], API_SECRET: secret });
const api = apiOf(gateway, { path: '/socket.io/' });

const witness = await join(gateway, newest, { namespace: '/room-1' });
witness.listen('x', 'last');
after(async () => {
  await api.post('emit', { namespace: '/room-1', event: 'last' });
  await witness.next('last');
  assert.deepEqual(witness.pending('x'), []);
  witness.close();
  await Promise.all([gateway.stop(), backEnd.stop()]);
});

async function refused(answering, field) {
  const { status, answer } = await answering;
  assert.deepEqual([status, answer.error?.code, answer.error?.field], [400, 'invalid', field], JSON.stringify(answer));
  return answer.error.message;
}

/** Every operation, by what it takes besides a selection of sockets. */
const operations = [
  ['emit', { event: 'x' }],
  ['emit', { event: 'x', ack: true, timeout: 10 }],
  ['join', { join: ['a'] }],
  ['leave', { leave: ['a'] }],
  ['disconnect', {}],
  ['disconnect', { close: true }],
  ['sockets', {}],
  ['sockets', { count: true }],
  ['rooms', {}],
];

describe('a namespace that is not defined', () => {
  const namespaces = ['/nowhere', 'room-1', '', '/room', '/ROOM-1', '/room-1/2', '//', ' /', '/\u0000', '/__proto__'];
  for (const [name, body] of operations) {
    test(`${name} ${JSON.stringify(body)}`, async () => {
      for (const namespace of namespaces) {
        assert.equal(await refused(api.post(name, { ...body, namespace }), 'namespace'), 'is not defined', namespace);
        assert.equal(await refused(api.pack(name, { ...body, namespace }), 'namespace'), 'is not defined', namespace);
        const batch = [{ emit: { namespace: '/room-1', event: 'x' } }, { [name]: { ...body, namespace } }];
        await refused(api.post('batch', { operations: batch }), `operations[1].${name}.namespace`);
      }
    });
  }

  test('by an emitter', async () => {
    const publish = (channel, body) =>
      refused(api.send(`publish${channel ? `?${new URLSearchParams({ channel })}` : ''}`, { body }), 'namespace');
    const nsp = '/nowhere';
    await publish(`socket.io#${nsp}#`, encode(['uid', { type: 2, data: ['x'], nsp }, {}]));
    for (const type of [2, 3, 4]) await publish(`socket.io-request#${nsp}#`, JSON.stringify({ type, rooms: ['a'] }));
    for (const more of [
      { method: 'emit', event: 'x', data: [] },
      { method: 'disconnect', sid: 'a' },
      { method: 'enter_room', sid: 'a', room: 'b' },
      { method: 'leave_room', sid: 'a', room: 'b' },
      { method: 'close_room', room: 'b' },
    ]) {
      await publish(undefined, JSON.stringify({ ...more, namespace: nsp }));
    }
  });

  test('and those that are', async () => {
    for (const [name, body] of operations) {
      for (const namespace of ['/', '/room-2', '/room-é']) {
        assert.equal((await api.post(name, { ...body, namespace })).status, 200, `${name} ${namespace}`);
      }
    }
  });
});

describe('an event with a reserved name', () => {
  const namespace = '/room-1';
  for (const event of ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']) {
    test(event, async () => {
      for (const more of [{}, { ack: true }, { volatile: true }, { rooms: ['nobody'] }]) {
        assert.match(await refused(api.post('emit', { namespace, event, ...more }), 'event'), /reserved/);
        await refused(api.pack('emit', { namespace, event, ...more }), 'event');
      }
      const batch = [{ emit: { namespace, event: 'x' } }, { emit: { namespace, event } }];
      await refused(api.post('batch', { operations: batch }), 'operations[1].emit.event');
      await refused(
        api.send('publish?channel=socket.io%23%2Froom-1%23', { body: encode(['uid', { type: 2, data: [event], nsp: namespace }, {}]) }),
        'packet.data',
      );
      await refused(api.send('publish', { body: JSON.stringify({ method: 'emit', event, data: [], namespace }) }), 'event');
    });
  }
});

describe('an id that names nobody', () => {
  const namespace = '/room-1';
  const nobody = { 'not an id': 'nobody', 'the id of another namespace': undefined, 'one that was never issued': 'A'.repeat(59), 'an empty one': '' };
  for (const [what, id] of Object.entries(nobody)) {
    test(what, async () => {
      // The witness is in another namespace than this.
      const rooms = [id ?? witness.id];
      const there = id === undefined ? '/room-2' : namespace;
      for (const [name, body] of operations) {
        const { status, answer } = await api.post(name, { ...body, namespace: there, rooms });
        assert.equal(status, 200, `${name}: ${JSON.stringify(answer)}`);
        const { missing, ...rest } = answer;
        assert.deepEqual(missing, []);
        const empty = Object.values(rest).every((value) => value === 0 || value === null || value.length === 0);
        assert.ok(empty, `${name}: ${JSON.stringify(answer)}`);
      }
    });
  }
});
