// Connection state recovery, as the stock client has it, whatever it was that cut
// the connection; and clients of all generations in one room.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { ways } from '../harness/clients/common.mjs';
import { join, libraries, newest } from '../harness/clients/socket.mjs';
import { startServer } from '../harness/server.mjs';
import { sleeping } from '../harness/target.mjs';
import { within } from '#dormouse-test/wait.mjs';

const server = await startServer();
after(() => server.stop());

let roomCount = 0;
const freshRoom = () => `room ${(roomCount += 1)}`;

/** How a connection can be lost. */
const losses = {
  'its transport closed under it': (player) => player.socket.io.engine.transport.close(),
  'its session closed': (player) => player.socket.io.engine.close(),
  'the object cut off, as by a deploy': (player) => server.cut(player.sid),
  'the object asleep, and then its transport closed': async (player) => {
    await server.sleep(player.sid);
    player.socket.io.engine.transport.close();
  },
};

async function member(t, { path = '/recovery/', room, transports = ['websocket'], delay = 100 } = {}) {
  // Left to chance, a client that is to come too late may come in time.
  const reconnecting = { reconnection: true, reconnectionDelay: delay, reconnectionDelayMax: delay, randomizationFactor: 0 };
  const player = await join(server, newest, { path, transports, ...reconnecting, auth: { name: 'ada' } });
  t.after(() => player.close());
  player.listen('news');
  if (room) await player.ask('join', room);
  return player;
}

/** Once `lose` has done its work, and the client is back. */
async function comesBack(player, lose) {
  const gone = new Promise((resolve) => player.socket.once('disconnect', resolve));
  const back = new Promise((resolve) => player.socket.once('connect', resolve));
  await lose(player);
  await within(gone, 'loss of the connection');
  return () => within(back, 'return of the client');
}

const news = async (player) => (await player.next('news')).slice(0, -1);

const waysToLose = Object.entries(losses).flatMap(([name, lose]) => [
  { name, lose, path: '/recovery/' },
  { name: `one of many, ${name}`, lose, path: '/spread/' },
]);
for (const { name, lose, path } of waysToLose) {
  // What cuts the object off ends the sessions of others too.
  describe(`the newest client, ${name}`, { concurrency: 1, ...sleeping }, () => {
    test('has its socket again, and what it missed, three times in a row', async (t) => {
      const room = freshRoom();
      const ada = await member(t, { path, room, delay: 300 });
      const { id } = ada;
      for (const round of [1, 2, 3]) {
        const back = await comesBack(ada, lose);
        const bob = await member(t, { path });
        const missed = [round, Buffer.of(round), { nested: [Buffer.alloc(3)] }];
        assert.deepEqual(await bob.ask('cast', { to: [room] }, 'news', ...missed), ['ok']);
        assert.deepEqual(await bob.ask('cast', { to: ['elsewhere'] }, 'news', 'for others'), ['ok']);
        await back();
        assert.equal(ada.socket.recovered, true);
        assert.equal(ada.id, id);
        assert.deepEqual(await news(ada), missed);
        await bob.ask('cast', { to: [room] }, 'news', 'live');
        assert.deepEqual(await news(ada), ['live']);
        assert.deepEqual(await ada.ask('rooms'), [[room]]);
        assert.deepEqual(await ada.ask('get-data'), [{ name: 'ada' }]);
        bob.close();
      }
    });
  });
}

describe('the newest client', { concurrency: true }, () => {
  test('by polling has its socket again', async (t) => {
    const room = freshRoom();
    const ada = await member(t, { room, transports: ['polling'], delay: 300 });
    const bob = await member(t);
    const back = await comesBack(ada, losses['its transport closed under it']);
    await bob.ask('cast', { to: [room] }, 'news', 'missed');
    await back();
    assert.equal(ada.socket.recovered, true);
    assert.deepEqual(await news(ada), ['missed']);
  });

  test('comes too late, and is somebody new', async (t) => {
    const ada = await member(t, { path: '/recovery-short/', room: freshRoom(), delay: 1_500 });
    const { id } = ada;
    const back = await comesBack(ada, losses['its session closed']);
    await back();
    assert.equal(ada.socket.recovered, false);
    assert.notEqual(ada.id, id);
    assert.deepEqual(await ada.ask('rooms'), [[]]);
  });

  test('that does not come back is told to the application, once', sleeping, async (t) => {
    const room = freshRoom();
    const ada = await member(t, { path: '/recovery-short/', room });
    const { id } = ada;
    ada.close();
    ada.socket.io.engine.close();
    const left = await member(t, { path: '/recovery-short/', room, transports: ['websocket'] });
    const lost = left.id;
    left.socket.io.reconnection(false);
    left.socket.io.engine.close();
    const line = await server.logs.waitFor({ event: 'expired', socket: lost });
    assert.deepEqual([line.namespace, line.rooms.sort(), line.data], ['/', [lost, room].sort(), { name: 'ada' }]);
    assert.equal(server.logs.find({ event: 'expired', socket: lost }).length, 1);
    assert.deepEqual(server.logs.find({ event: 'expired', socket: id }), [], 'who left on purpose does not expire');
  });

  test('that was disconnected by the application is somebody new', async (t) => {
    const ada = await member(t, { room: freshRoom() });
    const { id } = ada;
    ada.emit('leave-me', false);
    assert.equal(await ada.end(), 'io server disconnect');
    ada.socket.connect();
    await ada.connected();
    assert.equal(ada.socket.recovered, false);
    assert.notEqual(ada.id, id);
  });
});

describe('all generations in one room', () => {
  for (const way of ways) {
    test(`${way.name}: everyone hears everyone, text and binary`, async (t) => {
      const room = freshRoom();
      const { transports } = way;
      const players = [];
      for (const library of libraries) {
        const player = await join(server, library, { path: '/io/', transports });
        t.after(() => player.close());
        await player.listen('news').ask('join', room);
        players.push(player);
      }
      for (const [index, speaker] of players.entries()) {
        const said = [index, 'text', Buffer.of(index), { nested: [Buffer.of(1, 2), null] }];
        assert.deepEqual(await speaker.ask('cast', { to: [room] }, 'news', ...said), ['ok']);
        for (const listener of players.filter((player) => player !== speaker)) {
          assert.deepEqual(await listener.next('news'), said);
        }
      }
      const asked = await players[0].ask('cast', { to: [room], ack: true, timeout: 5_000 }, 'question', 1);
      assert.deepEqual(asked, ['ok', [1, 1, 1]]);
    });
  }
});
