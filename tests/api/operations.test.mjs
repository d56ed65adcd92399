// What the HTTP API does to stock clients: every operation, as JSON and as msgpack.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { apiOf, startWithApi } from '../harness/api.mjs';
import { join, libraries, newest, packed } from '../harness/clients/socket.mjs';
import { freshNamespace } from '../harness/socket/client.mjs';

const server = await startWithApi();
after(() => server.stop());
const api = apiOf(server);

const bytes = Buffer.from([0, 1, 254, 255]);
const placeholder = (num) => ({ _placeholder: true, num });

/** Those of a namespace of their own, one for each list of rooms. */
async function company(rooms, { library = newest, path = '/io/', namespace = freshNamespace(), ...options } = {}) {
  // Clients of 1.x and 2.x cannot say in which rooms they are.
  const one = (rooms) => join(server, library, { path, namespace, ...(rooms.length > 0 && { auth: { rooms } }), ...options });
  const players = await Promise.all(rooms.map(one));
  after(() => players.forEach((player) => player.close()));
  return { namespace, players: players.map((player) => player.listen('x', 'last')) };
}

async function done(name, body) {
  const { status, answer } = await api.post(name, body);
  assert.deepEqual({ status, answer }, { status: 200, answer: { missing: [] } });
}

/** Checks who of them has got `x` with these arguments, and that the others have not. */
async function heard({ namespace, players }, indices, ...args) {
  await done('emit', { namespace, event: 'last' });
  for (const [index, player] of players.entries()) {
    await player.next('last');
    assert.deepEqual(player.pending('x'), indices.includes(index) ? [args] : [], `player ${index}`);
    if (indices.includes(index)) await player.next('x');
  }
}

describe('emit', () => {
  test('to a namespace, rooms, one, and except some', async () => {
    const all = await company([['a'], ['a', 'b'], []]);
    const { namespace, players } = all;
    const emit = (body) => done('emit', { namespace, event: 'x', args: [1, 'é', null], ...body });
    await emit({});
    await heard(all, [0, 1, 2], 1, 'é', null);
    await emit({ rooms: ['a'] });
    await heard(all, [0, 1], 1, 'é', null);
    await emit({ rooms: ['a', 'b', 'nobody is here'], except: ['b'] });
    await heard(all, [0], 1, 'é', null);
    await emit({ rooms: [players[2].id] });
    await heard(all, [2], 1, 'é', null);
    await emit({ except: [players[2].id], volatile: true, local: true });
    await heard(all, [0, 1], 1, 'é', null);
    await done('emit', { namespace, event: 'x' });
    await heard(all, [0, 1, 2]);
  });

  for (const library of [...libraries, packed]) {
    test(`bytes, as JSON and as msgpack, to ${library.name}`, async () => {
      const path = library === packed ? '/msgpack/' : '/io/';
      const here = apiOf(server, { path });
      const { namespace, players } = await company([[]], { library, path });
      const [player] = players;
      const json = {
        namespace,
        event: 'x',
        args: [placeholder(1), { deep: [placeholder(0), 7] }],
        attachments: [bytes.toString('base64'), Buffer.from('é').toString('base64')],
      };
      assert.equal((await here.post('emit', json)).status, 200);
      assert.deepEqual(await player.next('x'), [Buffer.from('é'), { deep: [bytes, 7] }]);
      const pack = { namespace, event: 'x', args: [bytes, { deep: [Buffer.from('é'), 7] }] };
      assert.equal((await here.pack('emit', pack)).status, 200);
      assert.deepEqual(await player.next('x'), [bytes, { deep: [Buffer.from('é'), 7] }]);
    });
  }

  test('what looks like a placeholder is data where there are no bytes', async () => {
    const { namespace, players } = await company([[]]);
    await done('emit', { namespace, event: 'x', args: [placeholder(0)] });
    assert.deepEqual(await players[0].next('x'), [placeholder(0)]);
  });
});

describe('acknowledgements', () => {
  test('who answered what, who was late, and who has gone', async () => {
    const { namespace, players } = await company([[], [], [], []]);
    const [one, two, silent, leaving] = players;
    one.socket.on('ask', (value, answer) => answer(value + 1, 'one'));
    two.socket.on('ask', (value, answer) => answer({ bytes, value }));
    leaving.socket.on('ask', () => leaving.close());
    const ask = { namespace, event: 'ask', args: [1], ack: true, timeout: 700 };
    const others = { late: [silent.id], gone: [leaving.id], missing: [] };
    const { status, answer } = await api.post('emit', ask);
    assert.equal(status, 200);
    const byId = (a, b) => (a.id < b.id ? -1 : 1);
    const expected = [
      { id: one.id, args: [2, 'one'] },
      { id: two.id, args: [{ bytes: placeholder(0), value: 1 }], attachments: [bytes.toString('base64')] },
    ];
    assert.deepEqual({ ...answer, answers: answer.answers.sort(byId) }, { answers: expected.sort(byId), ...others });

    const packedAnswer = await api.pack('emit', { ...ask, except: others.gone });
    const answers = [
      { id: one.id, args: [2, 'one'] },
      { id: two.id, args: [{ bytes, value: 1 }] },
    ];
    assert.deepEqual(packedAnswer.answer.answers.sort(byId), answers.sort(byId));
  });

  test('of nobody', async () => {
    const { answer } = await api.post('emit', { namespace: freshNamespace(), event: 'ask', ack: true });
    assert.deepEqual(answer, { answers: [], late: [], gone: [], missing: [] });
  });

  test('several with bytes, and lookalikes beside them, in msgpack', async () => {
    const { namespace, players } = await company([[], [], []]);
    const answers = [[Buffer.from('a'), Buffer.from('b')], [placeholder(1), 'plain'], [Buffer.from('c')]];
    for (const [index, player] of players.entries()) {
      player.socket.on('ask', (answer) => answer(...answers[index]));
    }
    const { answer } = await api.pack('emit', { namespace, event: 'ask', ack: true });
    const of = (player) => answer.answers.find(({ id }) => id === player.id).args;
    assert.deepEqual(of(players[0]), answers[0]);
    assert.deepEqual(of(players[1]), [{ _placeholder: false, num: 1 }, 'plain']);
    assert.deepEqual(of(players[2]), answers[2]);
  });
});

test('join and leave', async () => {
  const all = await company([['a'], ['a', 'b'], []]);
  const { namespace, players } = all;
  await done('join', { namespace, rooms: ['a'], except: ['b'], join: ['c', 'd'] });
  assert.deepEqual((await players[0].ask('rooms'))[0], ['a', 'c', 'd']);
  assert.deepEqual((await players[1].ask('rooms'))[0], ['a', 'b']);
  await done('join', { namespace, rooms: [players[2].id], join: ['c'] });
  await done('leave', { namespace, rooms: ['c'], leave: ['c', 'a'] });
  assert.deepEqual((await players[0].ask('rooms'))[0], ['d']);
  assert.deepEqual((await players[2].ask('rooms'))[0], []);
});

test('disconnect from a namespace, and close', async () => {
  const { namespace, players } = await company([[], ['a'], ['b']]);
  await done('disconnect', { namespace, rooms: ['a'] });
  assert.equal(await players[1].end(), 'io server disconnect');
  await done('disconnect', { namespace, rooms: ['b'], close: true });
  assert.match(await players[2].end(), /io server disconnect|transport close/);
  assert.equal(players[0].socket.connected, true);
});

test('sockets: all, page by page, and their number', async () => {
  const { namespace, players } = await company([['a'], ['a'], ['a', 'b'], []]);
  await players[0].ask('set-data', { name: 'é', list: [1] });
  const { answer } = await api.post('sockets', { namespace });
  const ids = players.map(({ id }) => id).sort();
  assert.deepEqual(answer.sockets.map(({ id }) => id), ids);
  assert.equal(answer.next, null);
  const first = answer.sockets.find(({ id }) => id === players[0].id);
  assert.deepEqual({ ...first, rooms: first.rooms.sort() }, {
    id: players[0].id,
    rooms: [players[0].id, 'a'].sort(),
    data: { name: 'é', list: [1] },
  });

  const inA = players.slice(0, 3).map(({ id }) => id).sort();
  const page = async (after) => (await api.post('sockets', { namespace, rooms: ['a'], limit: 2, after })).answer;
  const one = await page();
  assert.deepEqual(one.sockets.map(({ id }) => id), inA.slice(0, 2));
  assert.equal(one.next, inA[1]);
  const two = await page(one.next);
  assert.deepEqual(two.sockets.map(({ id }) => id), inA.slice(2));
  assert.equal(two.next, null);

  assert.deepEqual((await api.post('sockets', { namespace, except: ['b'], count: true })).answer, { count: 3, missing: [] });
  assert.deepEqual((await api.pack('sockets', { namespace, count: true })).answer, { count: 4, missing: [] });
});

test('a page of sockets ends where their data is much', async () => {
  const { namespace, players } = await company([[], [], []]);
  for (const player of players) await player.ask('set-data', 'x'.repeat(700_000));
  const sizes = [];
  let after;
  do {
    const { answer } = await api.post('sockets', { namespace, ...(after && { after }) });
    sizes.push(answer.sockets.length);
    after = answer.next;
  } while (after);
  assert.deepEqual(sizes, [2, 1]);
});

test('rooms, page by page', async () => {
  const { namespace } = await company([['a', 'b'], ['b', 'c'], ['']]);
  const rooms = async (body) => (await api.post('rooms', { namespace, ...body })).answer;
  const all = [['', 1], ['a', 1], ['b', 2], ['c', 1]].map(([name, sockets]) => ({ name, sockets }));
  assert.deepEqual(await rooms({}), { rooms: all, next: null, missing: [] });
  assert.deepEqual(await rooms({ limit: 2 }), { rooms: all.slice(0, 2), next: 'a', missing: [] });
  assert.deepEqual(await rooms({ limit: 2, after: 'a' }), { rooms: all.slice(2), next: 'c', missing: [] });
  assert.deepEqual(await rooms({ limit: 2, after: 'c' }), { rooms: [], next: null, missing: [] });
  assert.deepEqual((await rooms({ rooms: ['c'] })).rooms.map(({ name }) => name), ['b', 'c']);
});

describe('batch', () => {
  test('one after the other', async () => {
    const { namespace, players } = await company([[], []]);
    const [one, two] = players;
    one.socket.on('ask', (answer) => answer('yes'));
    const operations = [
      { join: { namespace, rooms: [one.id], join: ['new'] } },
      { emit: { namespace, rooms: ['new'], event: 'x', args: [placeholder(0)], attachments: ['AAE='] } },
      { emit: { namespace, rooms: ['new'], event: 'ask', ack: true } },
      { rooms: { namespace } },
      { leave: { namespace, leave: ['new'] } },
      { sockets: { namespace, rooms: ['new'], count: true } },
      { disconnect: { namespace, rooms: [two.id] } },
    ];
    const { status, answer } = await api.post('batch', { operations });
    assert.equal(status, 200);
    const missing = [];
    assert.deepEqual(answer.results, [
      { missing },
      { missing },
      { answers: [{ id: one.id, args: ['yes'] }], late: [], gone: [], missing },
      { rooms: [{ name: 'new', sockets: 1 }], next: null, missing },
      { missing },
      { count: 0, missing },
      { missing },
    ]);
    assert.deepEqual(await one.next('x'), [Buffer.from([0, 1])]);
    await two.end();
  });

  test('in msgpack, where each event has its own bytes', async () => {
    const { namespace, players } = await company([[]]);
    const args = [[Buffer.from('a')], [Buffer.from('b'), [Buffer.from('c')]], ['none']];
    const operations = args.map((args) => ({ emit: { namespace, event: 'x', args } }));
    assert.equal((await api.pack('batch', { operations })).status, 200);
    for (const expected of args) assert.deepEqual(await players[0].next('x'), expected);
  });
});

test('sockets that are placed by a key', async () => {
  const keyed = apiOf(server, { path: '/keyed/' });
  const namespace = freshNamespace();
  const at = (key) => company([[]], { path: '/keyed/', namespace, query: { key } });
  const [{ players: [red] }, { players: [blue] }] = await Promise.all([at('red'), at('blue')]);
  const emit = async (body) => (await keyed.post('emit', { namespace, event: 'x', ...body })).status;
  assert.equal(await emit({ key: 'red', args: [1] }), 200);
  assert.deepEqual(await red.next('x'), [1]);
  // The id of a socket says where it is.
  assert.equal(await emit({ rooms: [blue.id], args: [2] }), 200);
  assert.deepEqual(await blue.next('x'), [2]);
  assert.equal(await emit({ rooms: ['a room'] }), 400);
  assert.deepEqual([red.pending('x'), blue.pending('x')], [[], []]);
  const both = [{ sockets: { namespace, key: 'red', count: true } }, { sockets: { namespace, key: 'nobody', count: true } }];
  const { answer } = await keyed.post('batch', { operations: both });
  assert.deepEqual(answer.results.map(({ count }) => count), [1, 0]);
});

test('sockets that are asleep', async () => {
  const { namespace, players } = await company([['a'], []], { transports: ['websocket'] });
  await server.sleep(players[0].sid);
  assert.deepEqual((await api.post('sockets', { namespace, rooms: ['a'], count: true })).answer.count, 1);
  await server.sleep(players[0].sid);
  await done('emit', { namespace, event: 'x', rooms: ['a'] });
  assert.deepEqual(await players[0].next('x'), []);
});
