// Promise 7: everything heals. Objects and hubs are aborted, and the runtime is killed; what
// is in rows lives on, and nothing else does.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { join, libraries, newest } from '../harness/clients/socket.mjs';
import { OBJECTS, hubs, inObjects, objectOf } from '../harness/socket/spread.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';

const path = '/spread-plain/';
const range = (count) => Array.from({ length: count }, (_, index) => index);
let rooms = 0;
const freshRoom = () => `room ${(rooms += 1)}`;

/** What somebody hears until the word that ends it. */
async function story(player, last) {
  const values = [];
  for (;;) {
    const [value] = await player.next('said');
    if (value === last) return values;
    values.push(value);
  }
}

describe('7: everything heals', workerOnly, () => {
  let server;
  before(async () => (server = await startServer()));
  after(() => server?.stop());

  const open = async (room, library = newest) => {
    const player = (await join(server, library, { path })).listen('said');
    await player.ask('join', room);
    return player;
  };

  async function company(t, { room = freshRoom(), library = newest, ...options }) {
    const players = (await inObjects(server, library, { path, ...options })).flat();
    t.after(() => players.forEach((player) => player.close()));
    for (const player of players) await player.listen('said').ask('join', room);
    return { room, players };
  }

  const hubIds = () => Promise.all(hubs(path, '/').map((name) => server.idOf(name)));
  const abortHubs = () => Promise.all(hubs(path, '/').map((name) => server.abortNamed(name)));

  for (const library of libraries) {
    test(`hubs are aborted between any two steps of ${library.name}`, async (t) => {
      const { room, players } = await company(t, { count: 3, each: 2, library });
      const [one, two, three] = players;
      const expected = [];
      const say = async (player, value) => {
        await abortHubs();
        assert.deepEqual(await player.ask('say', room, value), ['ok']);
        expected.push(value);
      };
      await say(one, 1);
      await say(two, 2);
      await abortHubs();
      await three.ask('leave', room);
      await say(one, 3);
      await abortHubs();
      await three.ask('join', room);
      await say(three, 4);
      await abortHubs();
      assert.deepEqual(await one.ask('who', room), [players.map(({ id }) => id).sort()]);
      await say(two, 'end');
      for (const player of players) {
        const heard = await story(player, 'end');
        assert.deepEqual(heard, player === three ? [1, 2, 4] : [1, 2, 3, 4]);
      }
    });
  }

  test('hubs are aborted while many send: nobody hears anything twice, and all is heard', async (t) => {
    const { room, players } = await company(t, { count: OBJECTS });
    const saying = players.flatMap((player, from) =>
      range(20).map((number) => player.ask('say', room, { from, number })),
    );
    for (let round = 0; round < 3; round += 1) await abortHubs();
    for (const outcome of await Promise.all(saying)) assert.deepEqual(outcome, ['ok']);
    await players[0].ask('say', room, 'end');
    for (const player of players) {
      const heard = await story(player, 'end');
      assert.equal(heard.length, saying.length);
      for (const sender of players.keys()) {
        const own = heard.filter(({ from }) => from === sender).map(({ number }) => number);
        // Those of one sender keep their order, whatever happens to the hub.
        assert.deepEqual(own, range(20));
      }
    }
  });

  test('objects are aborted between any two steps: those who were there come back', async (t) => {
    const { room, players } = await company(t, { count: 4 });
    const [speaker, ...others] = players;
    const expected = new Map(others.map((player) => [player, []]));
    const all = new Set(others);
    // A client that has ended does not know its session any more.
    const places = others.map((player) => ({ sid: player.sid, place: objectOf(player) }));
    for (const [round, { sid, place }] of places.entries()) {
      const victims = [...all].filter((player) => objectOf(player) === place);
      await server.abort(sid);
      for (const victim of victims) {
        await victim.end();
        all.delete(victim);
      }
      assert.deepEqual(await speaker.ask('say', room, `gone ${round}`), ['ok']);
      const back = await open(room);
      t.after(() => back.close());
      expected.set(back, []);
      assert.deepEqual(await speaker.ask('say', room, `back ${round}`), ['ok']);
      for (const player of all) expected.get(player).push(`gone ${round}`, `back ${round}`);
      expected.get(back).push(`back ${round}`);
      all.add(back);
    }
    assert.deepEqual(await speaker.ask('who', room), [[speaker, ...all].map(({ id }) => id).sort()]);
    await speaker.ask('say', room, 'end');
    for (const player of all) assert.deepEqual(await story(player, 'end'), expected.get(player));
  });

  test('the object of who serves a room alone is aborted: the next one is not kept waiting', async (t) => {
    const { room, players } = await company(t, { count: 1, each: 2 });
    await players[0].ask('say', room, 'alone');
    await server.abort(players[0].sid);
    const [one, two] = [await open(room), await open(room)];
    t.after(() => [one, two].forEach((player) => player.close()));
    assert.deepEqual(await one.ask('say', room, 1), ['ok']);
    assert.deepEqual(await two.ask('say', room, 'end'), ['ok']);
    for (const player of [one, two]) assert.deepEqual(await story(player, 'end'), [1]);
  });

  test('stale interest goes by itself: an object without members is soon not called any more', async (t) => {
    const { room, players } = await company(t, { count: 3 });
    const [one, two, lost] = players;
    const place = objectOf(lost);
    const calls = async () => (await server.counts())[place].calls;
    await server.abort(lost.sid);
    await lost.end();
    const calledFor = async (value) => {
      const before = await calls();
      await one.ask('say', room, value);
      return (await calls()) - before;
    };
    assert.ok((await calledFor(1)) > 0, 'it may have members');
    // What it says of its rooms counts once its hub knows that it began again.
    let value = 2;
    while ((await calledFor(value)) > 0) value += 1;
    for (const more of [1, 2]) assert.equal(await calledFor(value + more), 0);
    await two.ask('say', room, 'end');
    const expected = range(value + 2).map((index) => index + 1);
    for (const player of [one, two]) assert.deepEqual(await story(player, 'end'), expected);
  });

  test('SIGKILL under load, and a restart on the same storage', async (t) => {
    const { room, players } = await company(t, { count: OBJECTS });
    const heard = Promise.all(players.map((player) => player.next('said')));
    for (const player of players) for (const value of range(50)) player.emit('say', room, value);
    // It is in the middle of it.
    await heard;
    await server.kill();
    await Promise.all(players.map((player) => player.end()));
    await server.restart();
    const back = await Promise.all(range(12).map(() => open(room, libraries[2])));
    t.after(() => back.forEach((player) => player.close()));
    const expected = [];
    for (const [index, player] of back.entries()) {
      assert.deepEqual(await player.ask('say', room, index), ['ok']);
      expected.push(index);
    }
    assert.deepEqual(await back[0].ask('who', room), [back.map(({ id }) => id).sort()]);
    await back[0].ask('say', room, 'end');
    for (const player of back) assert.deepEqual(await story(player, 'end'), expected);
    // Objects that had members and have none now are not called any more.
    const ids = new Set([...(await hubIds()), ...back.map(objectOf)]);
    const before = await server.counts();
    await back[1].ask('say', room, 'again');
    const after = await server.counts();
    const called = Object.keys(after).filter((id) => after[id].calls > (before[id]?.calls ?? 0));
    assert.deepEqual(called.filter((id) => !ids.has(id)), []);
  });
});
