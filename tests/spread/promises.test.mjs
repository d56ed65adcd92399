// What a server of many objects promises, as src/proto/cluster/mod.rs and the documents
// have it, on the real runtime: stock clients of every generation in eight objects.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { join, libraries, newest, packed } from '../harness/clients/socket.mjs';
import { OBJECTS, hubs, inObjects, objectOf, objects, spent } from '../harness/socket/spread.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';

const range = (count) => Array.from({ length: count }, (_, index) => index);
let rooms = 0;
const freshRoom = () => `room ${(rooms += 1)}`;

describe('many objects that are one server', workerOnly, () => {
  let server;
  before(async () => (server = await startServer()));
  after(() => server?.stop());

  const path = '/spread-plain/';

  /** Clients in one room, so many in each of so many objects; all of the newest generation. */
  async function company(t, { count, each = 1, library = newest, room = freshRoom(), ...options }) {
    const places = await inObjects(server, library, { path, count, each, ...options });
    const players = places.flat();
    t.after(() => players.forEach((player) => player.close()));
    for (const player of players) await player.listen('said').ask('join', room);
    return { room, places, players };
  }

  /** Everybody in the room has heard exactly this, in this order. */
  async function heard(players, room, expected) {
    const end = `end ${Math.random()}`;
    await players[0].ask('say', room, end);
    for (const player of players) {
      const values = [];
      for (;;) {
        const [value] = await player.next('said');
        if (value === end) break;
        values.push(value);
      }
      assert.deepEqual(values, expected);
    }
  }

  test('1: without such a placement there is no hub and no call', async (t) => {
    for (const options of [{ path: '/io/' }, { path: '/keyed/', query: { key: 'a' } }]) {
      const players = await Promise.all(range(3).map(() => join(server, newest, options)));
      t.after(() => players.forEach((player) => player.close()));
      const [one, two] = players;
      const cost = await spent(server, async () => {
        for (const player of players) await player.listen('cast').ask('join', 'room');
        await one.ask('cast', { from: 'server', to: ['room', two.id] }, 'cast', 1);
        await one.ask('cast', { from: 'server' }, 'cast', 2);
        await one.ask('fetch', { from: 'server', to: ['room'] });
        await one.ask('count', { to: ['room'] }, 'question', 3);
        await one.ask('make-leave', { from: 'server' }, 'room');
        for (const player of players) {
          assert.deepEqual([await player.next('cast'), await player.next('cast')], [[1], [2]]);
        }
      });
      assert.deepEqual(cost, { wakes: 0, calls: 0, disturbed: 0, alarms: 0, woken: [] });
    }
  });

  for (const how of [undefined, 'is shaky']) {
    const manner = how ? ', while calls are lost, late and repeated' : '';
    test(`2 and 3: all members get all events once, in one order, which is each sender's${manner}`, async (t) => {
      const room = freshRoom();
      const groups = await Promise.all(libraries.map((library) => company(t, { count: OBJECTS, library, room })));
      const players = groups.flatMap(({ players }) => players);
      await server.disturb(how);
      t.after(() => server.disturb());
      const ROUNDS = 20;
      // Every second of them sends, all at once, and does not wait for what it has sent.
      const senders = players.filter((_, index) => index % 2 === 0);
      const late = [];
      const { disturbed } = await spent(server, async () => {
        const saying = senders.flatMap((sender, from) =>
          range(ROUNDS).map((number) => sender.ask('say', room, { from, number })),
        );
        // Others join meanwhile: from then on they hear everything.
        const joining = range(4).map(async () => {
          const player = (await join(server, newest, { path })).listen('said');
          t.after(() => player.close());
          await player.ask('join', room);
          await player.ask('say', room, { joined: player.id });
          late.push(player);
        });
        for (const outcome of await Promise.all(saying)) assert.deepEqual(outcome, ['ok']);
        await Promise.all(joining);
      });
      assert.equal(disturbed > 0, how !== undefined);
      await server.disturb();
      await players[0].ask('say', room, 'end');
      const stories = await Promise.all([...players, ...late].map(untilEnd));
      const [story, ...others] = stories.slice(0, players.length);
      for (const other of others) assert.deepEqual(other, story);
      for (const from of senders.keys()) {
        const own = story.filter((value) => value.from === from).map(({ number }) => number);
        assert.deepEqual(own, range(ROUNDS));
      }
      assert.equal(story.length, senders.length * ROUNDS + late.length);
      for (const [index, player] of late.entries()) {
        const of = stories[players.length + index];
        assert.deepEqual(of, story.slice(-of.length), 'the rest of the story');
        assert.ok(of.some(({ joined }) => joined === player.id), 'from its own word on');
      }
    });
  }

  async function untilEnd(player) {
    const values = [];
    for (;;) {
      const [value] = await player.next('said');
      if (value === 'end') return values;
      values.push(value);
    }
  }

  test('2: the same with msgpack, and with bytes', async (t) => {
    const room = freshRoom();
    const options = { path: '/spread-msgpack/', count: OBJECTS, each: 2, library: packed, room };
    const { players } = await company(t, options);
    const values = [Buffer.from([1, 254]), 'é', { deep: [Buffer.alloc(1000, 7)] }];
    for (const value of values) await players[3].ask('say', room, value);
    await heard(players, room, values);
  });

  test('2: what reaches a socket in several ways comes once, and not to who is excepted', async (t) => {
    const [one, two] = [freshRoom(), freshRoom()];
    const { players } = await company(t, { count: 4, room: one });
    for (const player of players) await player.listen('cast').ask('join', [two, `${two} of ${player.id}`]);
    const [sender, other, excepted] = players;
    const to = [one, two, other.id, `${two} of ${sender.id}`];
    await sender.ask('cast', { from: 'server', to, except: [`${two} of ${excepted.id}`] }, 'cast', 1);
    await sender.ask('cast', { from: 'server', to: [one] }, 'cast', 'end');
    for (const player of players) {
      if (player !== excepted) assert.deepEqual(await player.next('cast'), [1]);
      assert.deepEqual(await player.next('cast'), ['end']);
    }
  });

  test('5: an event wakes no object without a member', async (t) => {
    const { room, players } = await company(t, { count: 2 });
    // Clients in all others, which have been in the room.
    const others = await company(t, { count: OBJECTS });
    const elsewhere = others.players.filter((player) => !players.map(objectOf).includes(objectOf(player)));
    assert.equal(elsewhere.length, OBJECTS - 2);
    const names = [...objects(path), ...hubs(path, '/')];
    await Promise.all(names.map((name) => server.sleepNamed(name)));
    const { woken } = await spent(server, () => heard(players, room, []));
    const ids = new Set(await Promise.all(hubs(path, '/').map((name) => server.idOf(name))));
    assert.deepEqual(woken.filter((id) => !ids.has(id)).sort(), players.map(objectOf).sort());
    assert.equal(woken.filter((id) => ids.has(id)).length, 1, 'the hub of the room');
    elsewhere.forEach((player) => assert.deepEqual(player.pending('said'), []));
  });

  test('6: a room whose members are all in one object is served there, without a call', async (t) => {
    const { room, places } = await company(t, { count: 2, each: 3 });
    const [players, [stranger]] = places;
    await stranger.ask('leave', room);
    const only = freshRoom();
    for (const player of players) await player.ask('join', only);
    // The answer to the first event says that nobody else is there.
    await players[0].ask('say', only, 'first');
    const cost = await spent(server, async () => {
      for (const [index, player] of players.entries()) await player.ask('say', only, index);
    });
    assert.equal(cost.calls, 0);
    await heard(players, only, ['first', 0, 1, 2]);
    // Somebody elsewhere takes it away from them, and hears all that comes from then on.
    await stranger.ask('join', only);
    await players[1].ask('say', only, 'welcome');
    await stranger.ask('say', only, 'thanks');
    await heard([...players, stranger], only, ['welcome', 'thanks']);
  });
});
