// Whom something is for: ids that nobody has, which is no error, wherever it is asked; and
// rooms under each of the names that there are for it.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openMember } from '../harness/socket/client.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { workerOnly } from '../harness/target.mjs';
import { fetchRaw } from '../harness/wire/http.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;

/** Ids that are well formed, and of no socket. */
const NEVER_GIVEN_OUT = 'A'.repeat(59);
const stranger = ({ client }) => `${client.sid.slice(0, 43)}${'A'.repeat(16)}`;

async function left(member) {
  const { client, namespace, id } = await member();
  await client.send(`1${namespace},`);
  await logs.waitFor({ event: 'disconnected', socket: id });
  return id;
}

/** Everything that a route can ask of one id: status and answer of each. */
async function fromRoute(query) {
  const ask = async (method, what, more, body) => {
    const options = { method, path: `/io-route/${what}`, query: { ...query, ...more } };
    const { status, text } = await fetchRaw(server, { ...options, body });
    return [status, text.replaceAll('"', '')];
  };
  return {
    emit: await ask('POST', 'emit', { event: 'x' }, '[1]'),
    'emit-with-ack': await ask('POST', 'emit-with-ack', { event: 'x', timeout: 5_000 }, '[]'),
    fetch: await ask('GET', 'fetch', {}),
    'make-join': await ask('POST', 'make-join', { room: 'x' }, ''),
    'make-leave': await ask('POST', 'make-leave', { room: 'x' }, ''),
    'make-disconnect': await ask('POST', 'make-disconnect', {}, ''),
  };
}

/** The same that a handler asks. */
async function fromHandler(member, id) {
  const target = { from: 'server', to: [id] };
  return {
    emit: await member.ask('cast', target, 'x', 1),
    'emit-with-ack': await member.ask('cast', { ...target, ack: true, timeout: 5_000 }, 'x'),
    fetch: await member.ask('fetch', target),
    'make-join': await member.ask('make-join', target, 'x'),
    'make-leave': await member.ask('make-leave', target, 'x'),
    'make-disconnect': await member.ask('make-disconnect', target),
  };
}

const nobody = {
  emit: [200, 'ok'],
  'emit-with-ack': [200, '[]'],
  fetch: [200, '[]'],
  'make-join': [200, 'ok'],
  'make-leave': [200, 'ok'],
  'make-disconnect': [200, 'ok'],
};
const nobodyHere = {
  emit: ['ok'],
  'emit-with-ack': ['ok', []],
  fetch: [[]],
  'make-join': ['ok'],
  'make-leave': ['ok'],
  'make-disconnect': ['ok'],
};

const rules = ({ member, revision }) => {
  const ids = {
    'what is not an id': () => 'no such id',
    'an id that was never given out': () => NEVER_GIVEN_OUT,
    'an id of the object, and of nobody in it': (witness) => stranger(witness),
    'the id of a socket that has gone': ({ namespace }) => left(() => member({ namespace })),
  };
  for (const [what, of] of Object.entries(ids)) {
    test(`${what}: nobody is meant, from a route and from a handler`, async () => {
      const namespace = freshNamespace();
      const witness = await member({ namespace });
      const id = await of(witness);
      assert.deepEqual(await fromRoute({ path: '/io/', namespace, to: id }), nobody);
      assert.deepEqual(await fromHandler(witness, id), nobodyHere);
      await witness.nothing();
    });
  }

  test('rooms by `within`, of a socket, of all and of some', async () => {
    const namespace = freshNamespace();
    const [one, other, apart] = [await member({ namespace }), await member({ namespace }), await member({ namespace })];
    for (const each of [one, other]) await each.ask('join', 'room');
    await one.emit('within', 'room');
    await one.expect('within', 'io');
    await one.expect('within', 'broadcast');
    await one.nothing();
    for (const from of ['socket', 'io', 'broadcast']) await other.expect('within', from);
    await other.nothing();
    await apart.nothing();
  });
};

eachWay(server, rules, { revisions: [3, 4] });

// Without a key, only an id says which object is meant.
describe('sockets that are placed by a key, asked for without one', workerOnly, () => {
  const path = '/keyed/';
  const open = (options) => openMember(server, { path, query: { key: 'k' }, ...options });

  for (const revision of [3, 4]) {
    const protocol = revision === 3 ? 'protocol 4' : 'protocol 5';
    for (const namespace of ['/', '/chat']) {
      test(`${protocol}, ${namespace}: the id of a socket is enough`, async () => {
        const member = await open({ revision, namespace });
        const query = { path, namespace, to: member.id, event: 'x' };
        const { status, text } = await fetchRaw(server, { method: 'POST', path: '/io-route/emit', query, body: '[1]' });
        assert.deepEqual([status, text], [200, '"ok"']);
        await member.expect('x', 1);
      });

      test(`${protocol}, ${namespace}: ids that nobody has`, async () => {
        const witness = await open({ revision, namespace });
        const elsewhere = await openMember(server, { revision, namespace });
        const gone = await open({ revision, namespace });
        await gone.client.close();
        await logs.waitFor({ event: 'disconnected', socket: gone.id });
        const ids = [NEVER_GIVEN_OUT, stranger(witness), gone.id, elsewhere.id];
        for (const to of ids) assert.deepEqual(await fromRoute({ path, namespace, to }), nobody, to);
        await elsewhere.nothing();
        await witness.nothing();
      });
    }
  }

  test('who is asleep elsewhere stays whose it is', async () => {
    const elsewhere = await openMember(server, { namespace: '/chat' });
    await elsewhere.ask('join', 'room');
    await server.sleep(elsewhere.client.sid);
    assert.deepEqual(await fromRoute({ path, namespace: '/chat', to: elsewhere.id }), nobody);
    assert.deepEqual(await elsewhere.ask('rooms'), [['room']]);
  });

  test('a room is not: the key is to be named', async () => {
    for (const [status, text] of Object.values(await fromRoute({ path, namespace: '/', to: 'room' }))) {
      assert.equal(status, 500);
      assert.match(text, /key/);
    }
  });
});
