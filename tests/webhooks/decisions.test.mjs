// What a back end is told, and what its answers do.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { join, libraries, newest } from '../harness/clients/socket.mjs';
import { BackEnd, oldSecret, secret, startGateway } from '../harness/gateway.mjs';
import { workerOnly } from '../harness/target.mjs';

const backEnd = await BackEnd.start();
const gateway = await startGateway(backEnd.url, {
  NAMESPACES: ['/', '/room-{id}'],
  WEBHOOK_SECRET_OLD: oldSecret,
});
after(() => Promise.all([gateway.stop(), backEnd.stop()]));

const websocket = { transports: ['websocket'] };

/** A client that the back end lets in with these answers, and the call for it. */
async function enter(options = {}, handlers = {}, library = newest) {
  backEnd.handlers = handlers;
  const player = await join(gateway, library, { ...websocket, ...options });
  return [player, await backEnd.next('connect')];
}

async function refused(options, handlers) {
  backEnd.handlers = handlers;
  const { refusal } = await join(gateway, newest, { ...websocket, ...options }).catch((error) => error);
  await backEnd.next('connect');
  return { message: refusal.message, data: refusal.data };
}

async function leave(...players) {
  for (const player of players) {
    player.close();
    await backEnd.next('disconnect');
  }
}

describe('webhooks', workerOnly, () => {
  test('an event and its acknowledgement', async () => {
    const [player] = await enter({}, { event: ({ args }) => ({ ack: args[0] + args[1] }) });
    assert.deepEqual(await player.ask('sum', 1, 2), [3]);
    const { id, time, ...call } = await backEnd.next('event');
    assert.match(id, /^msg_[\w-]{22}$/);
    assert.ok(Math.abs(Date.now() - time) < 60_000);
    assert.deepEqual(call, {
      type: 'event',
      namespace: '/',
      socket: { id: player.id, rooms: [player.id], data: null },
      event: 'sum',
      args: [1, 2],
      ack: true,
    });
    await leave(player);
  });

  test('who connects, and from where', async () => {
    const [player, call] = await enter({ namespace: '/room-7', auth: { name: 'ada' }, query: { a: 'b' } });
    assert.equal(call.namespace, '/room-7');
    assert.deepEqual(call.auth, { name: 'ada' });
    assert.equal(call.recovered, false);
    assert.deepEqual(call.socket, { id: player.id, rooms: [player.id], data: null });
    const { handshake } = call;
    assert.equal(handshake.query.a, 'b');
    assert.match(handshake.url, /\/socket\.io\/\?/);
    assert.equal(handshake.headers.upgrade, 'websocket');
    assert.equal(handshake.secure, false);
    assert.equal(typeof handshake.issued, 'number');
    await leave(player);
  });

  test('requests are signed with both secrets, and posted once', async () => {
    backEnd.attempts = [];
    const [player] = await enter();
    player.emit('hello');
    await backEnd.next('event');
    await leave(player);
    assert.equal(backEnd.attempts.length, 3);
    for (const { method, url, headers, call } of backEnd.attempts) {
      assert.equal(`${method} ${url}`, 'POST /hook');
      assert.equal(headers['content-type'], 'application/json');
      assert.match(headers['user-agent'], /^Dormouse\//);
      assert.equal(headers['webhook-id'], call.id);
      assert.match(headers['webhook-signature'], /^v1,\S{44} v1,\S{44}$/);
    }
    assert.ok(backEnd.isSignedWith(secret));
    assert.ok(backEnd.isSignedWith(oldSecret));
    assert.ok(!backEnd.isSignedWith(`whsec_${Buffer.alloc(24, 3).toString('base64')}`));
  });

  test('a back end admits a client with data and rooms, and greets it', async () => {
    const actions = [{ emit: { event: 'hello', args: ['ada'] } }];
    backEnd.handlers = {};
    const [other] = await enter();
    await other.listen('hello');
    const connect = () => ({ data: { name: 'ada' }, rooms: ['lobby'], actions });
    backEnd.handlers = { connect };
    const player = await join(gateway, newest, websocket).then((it) => it.listen('hello'));
    await backEnd.next('connect');
    player.emit('hello?');
    const { socket } = await backEnd.next('event');
    assert.deepEqual(socket.data, { name: 'ada' });
    assert.deepEqual(socket.rooms.sort(), [player.id, 'lobby'].sort());
    assert.deepEqual(other.pending('hello'), []);
    await leave(player, other);
  });

  test('a back end refuses a client with a message and data', async () => {
    for (const [answer, expect] of [
      [{ status: 403, body: { message: 'not you', data: { why: 1 } } }, { message: 'not you', data: { why: 1 } }],
      [{ status: 401, body: { message: 'no' } }, { message: 'no', data: undefined }],
      [{ status: 404, body: '<html>' }, { message: 'rejected', data: undefined }],
      [{ status: 400, body: '' }, { message: 'rejected', data: undefined }],
    ]) {
      assert.deepEqual(await refused({}, { connect: () => answer }), expect);
    }
  });

  test('an event is refused in its acknowledgement', async () => {
    const [player] = await enter({}, { event: () => ({ status: 422, body: { message: 'no', data: [1] } }) });
    assert.deepEqual(await player.ask('anything'), [{ error: 'no', data: [1] }]);
    await backEnd.next('event');
    await leave(player);
  });

  test('acknowledgements are one value, several, or none', async () => {
    const [player] = await enter();
    for (const [answer, expect] of [
      [{}, []],
      [{ status: 204 }, []],
      [{ ack: null }, []],
      [{ ack: 'one' }, ['one']],
      [{ ack: [1, 'two', { three: 3 }] }, [1, 'two', { three: 3 }]],
      [{ ack: [[1, 2]] }, [[1, 2]]],
    ]) {
      backEnd.handlers = { event: () => answer };
      assert.deepEqual(await player.ask('anything'), expect);
      await backEnd.next('event');
    }
    await leave(player);
  });

  for (const library of libraries) {
    test(`bytes there and back, ${library.name}`, async () => {
      const event = ({ args, attachments }) => ({ ack: args.toReversed(), attachments });
      const [player] = await enter({}, { event }, library);
      const answer = await player.ask('photo', { pixels: Buffer.from([1, 2, 250]) }, 'title');
      assert.deepEqual(answer, ['title', { pixels: Buffer.from([1, 2, 250]) }]);
      const { args, attachments } = await backEnd.next('event');
      assert.deepEqual(args, [{ pixels: { _placeholder: true, num: 0 } }, 'title']);
      assert.deepEqual(attachments, [Buffer.from([1, 2, 250]).toString('base64')]);
      await leave(player);
    });
  }

  test('one answer emits to others, moves the socket, and changes its data', async () => {
    const [ada] = await enter({}, { connect: () => ({ rooms: ['lobby'] }) });
    const [bob] = await enter({}, { connect: () => ({ rooms: ['lobby'] }) });
    const bytes = { attachments: ['AQI='], args: ['hi', { _placeholder: true, num: 0 }] };
    ada.listen('said', 'moved');
    bob.listen('said', 'moved');
    const event = ({ socket }) => ({
      ack: 'done',
      data: { at: 'attic' },
      actions: [
        { emit: { event: 'said', rooms: ['lobby'], except: [socket.id], ...bytes } },
        { leave: { leave: ['lobby'] } },
        { join: { join: ['attic', 'cellar'] } },
        { emit: { event: 'moved', args: [1] } },
      ],
    });
    backEnd.handlers = { event };
    assert.deepEqual(await ada.ask('go'), ['done']);
    assert.deepEqual(await bob.next('said'), ['hi', Buffer.from([1, 2])]);
    assert.deepEqual(await ada.next('moved'), [1]);
    await backEnd.next('event');
    backEnd.handlers = {};
    ada.emit('where?');
    const { socket } = await backEnd.next('event');
    assert.deepEqual(socket.data, { at: 'attic' });
    assert.deepEqual(socket.rooms.sort(), [ada.id, 'attic', 'cellar'].sort());
    assert.deepEqual([ada.pending('said'), bob.pending('moved')], [[], []]);
    await leave(ada, bob);
  });

  test('an answer reaches another namespace, and everybody in it', async () => {
    const [ada] = await enter({ namespace: '/room-1' });
    const [bob] = await enter();
    ada.listen('news');
    const news = { event: 'news', namespace: '/room-1', args: [1] };
    backEnd.handlers = { event: () => ({ actions: [{ emit: news }] }) };
    await bob.ask('publish');
    await backEnd.next('event');
    assert.deepEqual(await ada.next('news'), [1]);
    await leave(ada, bob);
  });

  test('a socket is disconnected, after what it was sent', async () => {
    const actions = [{ emit: { event: 'bye' } }, { disconnect: {} }];
    const [player] = await enter({}, { event: () => ({ actions }) });
    player.listen('bye');
    player.emit('leave');
    await backEnd.next('event');
    assert.deepEqual(await player.next('bye'), []);
    assert.equal(await player.end(), 'io server disconnect');
    const { reason } = await backEnd.next('disconnect');
    assert.equal(reason, 'server namespace disconnect');
    player.close();
  });

  test('a back end hears why a socket is gone, and tells others', async () => {
    const [ada] = await enter();
    const [bob] = await enter({}, { connect: () => ({ data: 'bob', rooms: ['lobby'] }) });
    ada.listen('left');
    const left = ({ socket, reason }) => ({
      actions: [{ emit: { event: 'left', namespace: '/', args: [socket.data, reason] } }],
    });
    backEnd.handlers = { disconnect: left };
    bob.close();
    const { socket, reason } = await backEnd.next('disconnect');
    assert.equal(reason, 'client namespace disconnect');
    assert.deepEqual(socket.rooms.sort(), [bob.id ?? socket.id, 'lobby'].sort());
    assert.deepEqual(await ada.next('left'), ['bob', 'client namespace disconnect']);
    await leave(ada);
  });
});
