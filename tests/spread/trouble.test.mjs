// Promise 4: whatever an object or a hub does, each operation ends within its limit, and says
// what is missing. What can be delivered is.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { apiOf, secret } from '../harness/api.mjs';
import { newest } from '../harness/clients/socket.mjs';
import { hubs, inObjects, objectOf } from '../harness/socket/spread.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';
import { within } from '#dormouse-test/wait.mjs';

const path = '/spread-plain/';
/** The longest limit of any operation is 30 s, and calls have some time beside it. */
const LONGEST = 45_000;
let rooms = 0;
const freshRoom = () => `room ${(rooms += 1)}`;

function ask(player, event, ...args) {
  const asked = new Promise((resolve) => player.socket.emit(event, ...args, resolve));
  return within(asked, `acknowledgement of ${event}`, LONGEST);
}

/** What is done in each case to one of three objects, and what comes of it for all. */
const UNSENT = 'another object did not answer, and nothing was done';
const one = 'not done everywhere: 1 object did not answer';
const cases = {
  async 'an event reaches the others, and its sender is told'({ room, players }) {
    assert.deepEqual(await ask(players[0], 'say', room, 1), { error: one });
    for (const player of players.slice(0, 2)) assert.deepEqual(await player.next('said'), [1, players[0].id]);
    assert.deepEqual(players[2].pending('said'), []);
  },

  async 'the next event does not wait for the one that the object misses'({ room, players }) {
    let hasEnded = false;
    const first = ask(players[0], 'say', room, 'first').finally(() => (hasEnded = true));
    assert.equal((await players[1].next('said'))[0], 'first');
    const second = ask(players[0], 'say', room, 'second');
    assert.equal((await players[1].next('said'))[0], 'second');
    assert.equal(hasEnded, false);
    assert.deepEqual(await Promise.all([first, second]), [{ error: one }, { error: one }]);
  },

  async 'many events at once all end'({ room, players }) {
    const outcomes = await Promise.all([1, 2, 3, 4].map((value) => ask(players[0], 'say', room, value)));
    assert.deepEqual(outcomes, outcomes.map(() => ({ error: one })));
    for (const value of [1, 2, 3, 4]) assert.equal((await players[1].next('said'))[0], value);
  },

  async 'acknowledgements of the others, and how many objects are missing'({ room, players }) {
    const { answers, ...others } = await ask(players[0], 'ask', room, 7, 300);
    assert.deepEqual(answers.map(([id]) => id).sort(), [players[0].id, players[1].id].sort());
    assert.deepEqual(others, { late: 0, gone: 0, missing: 1 });
  },

  async 'who is there'({ room, players }) {
    assert.deepEqual(await ask(players[0], 'who', room), { error: '1 object did not answer' });
  },

  async 'the HTTP API names the object'({ room, players, place, api }) {
    const operations = { emit: { event: 'x', args: [1] }, join: { join: ['another'] }, sockets: { count: true }, rooms: {} };
    const asked = Object.entries(operations).map(([name, body]) => api.post(name, { rooms: [room], ...body }));
    const answers = await within(Promise.all(asked), 'answers', LONGEST);
    for (const { status, answer } of answers) {
      assert.deepEqual({ status, missing: answer.missing }, { status: 200, missing: [place] });
    }
    assert.equal(answers[2].answer.count, 2);
    for (const player of players.slice(0, 2)) assert.deepEqual(await player.next('x'), [1]);
  },

  async 'a room that it has no part in is served as ever'({ players }) {
    const apart = freshRoom();
    for (const player of players.slice(0, 2)) await player.ask('join', apart);
    assert.deepEqual(await players[1].ask('say', apart, 1), ['ok']);
    assert.equal((await players[0].next('said'))[0], 1);
  },

  async 'a room that it serves alone cannot be joined, and whoever wants to is told'({ players, alone }) {
    assert.deepEqual(await ask(players[0], 'join', alone), { error: UNSENT });
  },
};

describe('4: everything ends, and says what is missing', { concurrency: true, ...workerOnly }, () => {
  for (const how of ['hangs', 'fails']) {
    test(`one object ${how}`, { concurrency: true }, async (t) => {
      const server = await startServer({ variables: { API_SECRET: secret } });
      t.after(() => server.stop());
      const api = apiOf(server, { path });
      const all = Object.entries(cases);
      const objects = await inObjects(server, newest, { path, count: 3, each: all.length });
      t.after(() => objects.flat().forEach((player) => player.close()));
      const place = objectOf(objects[2][0]);
      const arranged = await Promise.all(
        all.map(async ([name, run], index) => {
          const players = objects.map((players) => players[index]);
          const [room, alone] = [freshRoom(), freshRoom()];
          for (const player of players) {
            await player.listen('said', 'x').ask('join', room);
            player.socket.on('asked', (value, answer) => answer(value));
          }
          await players[2].ask('join', alone);
          await players[2].ask('say', alone, 'alone');
          await players[2].next('said');
          return { name, run, room, players, alone, place, api };
        }),
      );
      await server.disturb(how, place);
      await Promise.all(arranged.map(({ name, run, ...there }) => t.test(name, () => run(there))));
      await server.disturb(undefined, place);
      await t.test('it is well again', async () => {
        for (const { room, alone, players } of arranged) {
          await players[0].ask('join', alone);
          for (const where of [room, alone]) assert.deepEqual(await players[1].ask('say', where, `well ${where}`), ['ok']);
          const heard = async (player, value) => {
            while ((await player.next('said'))[0] !== value);
          };
          for (const player of players) await heard(player, `well ${room}`);
          for (const player of [players[0], players[2]]) await heard(player, `well ${alone}`);
        }
      });
    });
  }

  /** What is said where a hub does not answer at all. */
  for (const how of ['hangs', 'fails']) {
    test(`a hub ${how}`, { concurrency: true }, async (t) => {
      const server = await startServer({ variables: { API_SECRET: secret } });
      t.after(() => server.stop());
      const api = apiOf(server, { path });
      const players = (await inObjects(server, newest, { path, count: 2 })).flat();
      t.after(() => players.forEach((player) => player.close()));
      const ids = await Promise.all(hubs(path, '/').map((name) => server.idOf(name)));
      const [one, two] = players;
      /** A room with both, and its hub, which is called when somebody speaks there. */
      const arrange = async () => {
        const room = freshRoom();
        for (const player of players) await player.listen('said').ask('join', room);
        const before = await server.counts();
        await one.ask('say', room, 0);
        for (const player of players) await player.next('said');
        const after = await server.counts();
        const [hub] = ids.filter((id) => after[id]?.calls > (before[id]?.calls ?? 0));
        return { room, hub };
      };
      const { room, hub } = await arrange();
      let other = await arrange();
      while (other.hub === hub) other = await arrange();
      await server.disturb(how, hub);

      const cases = {
        async 'an event ends, and its sender is told'() {
          const outcome = await ask(one, 'say', room, 1);
          assert.match(outcome.error, /^another object did not answer/);
        },
        async 'a join ends, and is none'() {
          const rooms = Array.from({ length: 20 }, freshRoom);
          const outcomes = await Promise.all(rooms.map((room) => ask(two, 'join', room)));
          const failed = outcomes.filter((outcome) => outcome.error);
          assert.deepEqual(failed, failed.map(() => ({ error: UNSENT })));
          assert.ok(failed.length > 0 && failed.length < rooms.length);
          const [joined] = await two.ask('rooms');
          assert.equal(joined.filter((room) => rooms.includes(room)).length, rooms.length - failed.length);
        },
        async 'who is there cannot be known'() {
          const { error } = await ask(two, 'who', room);
          assert.equal(error, 'it is not known which objects have such sockets');
        },
        async 'nor by the HTTP API'() {
          const asked = [api.post('emit', { rooms: [room], event: 'x' }), api.post('sockets', { rooms: [room], count: true })];
          const answers = await within(Promise.all(asked), 'answers', LONGEST);
          assert.deepEqual(answers.map(({ status }) => status), [503, 503]);
        },
        async 'the rooms of other hubs are served as ever'() {
          assert.deepEqual(await two.ask('say', other.room, 1), ['ok']);
          for (const player of players) assert.equal((await player.next('said'))[0], 1);
        },
      };
      await Promise.all(Object.entries(cases).map(([name, run]) => t.test(name, run)));
      await server.disturb(undefined, hub);
      await t.test('it is well again', async () => {
        await two.ask('join', room);
        assert.deepEqual(await one.ask('say', room, 'well'), ['ok']);
        for (const player of players) while ((await player.next('said'))[0] !== 'well');
      });
    });
  }
});
