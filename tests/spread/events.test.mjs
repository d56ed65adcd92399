// The events that a server of many objects has besides, as tests/suites/README.md has them,
// and the HTTP API there: what a program that knows nothing of objects sees.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { apiOf, secret } from '../harness/api.mjs';
import { join, libraries, newest, packed } from '../harness/clients/socket.mjs';
import { OBJECTS, inObjects, objectOf } from '../harness/socket/spread.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';

const bytes = Buffer.from([0, 1, 254, 255]);
const nested = { a: [bytes, { b: Buffer.alloc(0) }], c: 'é' };

/** The arguments of an event, behind which may be the offset that recovery adds. */
function withoutOffset(args, count) {
  assert.ok(args.length <= count + 1);
  return args.slice(0, count);
}

const byId = ([a], [b]) => (a < b ? -1 : 1);
let rooms = 0;
const freshRoom = () => `room ${(rooms += 1)}`;

describe('a server of eight objects', workerOnly, () => {
  let server;
  before(async () => (server = await startServer({ variables: { API_SECRET: secret } })));
  after(() => server?.stop());

  const parsers = [
    ...libraries.map((library) => ({ library, path: '/spread-plain/' })),
    { library: packed, path: '/spread-msgpack/' },
  ];

  for (const { library, path } of parsers) {
    describe(library.name, () => {
      /** One in each of so many objects, in a room of their own. */
      async function company(count = 3) {
        const room = freshRoom();
        const players = (await inObjects(server, library, { path, count })).flat();
        after(() => players.forEach((player) => player.close()));
        for (const player of players) await player.listen('said', 'told').ask('join', room);
        return { room, players };
      }

      test('where, and who', async () => {
        const { room, players } = await company(OBJECTS);
        const places = await Promise.all(players.map((player) => player.ask('where')));
        assert.deepEqual(places, players.map((player) => [objectOf(player)]));
        assert.equal(new Set(places.flat()).size, OBJECTS);
        const ids = players.map(({ id }) => id).sort();
        for (const player of players) assert.deepEqual(await player.ask('who', room), [ids]);
        await players[0].ask('leave', room);
        const others = ids.filter((id) => id !== players[0].id);
        assert.deepEqual(await players[0].ask('who', room), [others]);
      });

      test('say and tell, text and bytes', async () => {
        const { room, players } = await company();
        const [one, two, three] = players;
        for (const value of ['é', null, 7, nested, bytes, { _placeholder: 'no' }]) {
          await one.ask('say', room, value);
          for (const player of players) {
            assert.deepEqual(withoutOffset(await player.next('said'), 2), [value, one.id]);
          }
          await one.ask('tell', two.id, value);
          assert.deepEqual(withoutOffset(await two.next('told'), 1), [value]);
        }
        await one.ask('tell', one.id, 'me');
        assert.deepEqual(withoutOffset(await one.next('told'), 1), ['me']);
        assert.deepEqual([one, two, three].flatMap((player) => player.pending('told')), []);
      });

      test('ask', async () => {
        const { room, players } = await company(5);
        const [one, two, three, silent, leaving] = players;
        one.socket.on('asked', (value, answer) => answer(value, 1));
        two.socket.on('asked', (value, answer) => answer(bytes, { value: 'mine' }));
        three.socket.on('asked', (value, answer) => answer());
        silent.socket.on('asked', () => {});
        leaving.socket.on('asked', () => leaving.close());
        const [{ answers, ...others }] = await one.ask('ask', room, bytes, 700);
        const expected = [[one.id, bytes, 1], [two.id, bytes, { value: 'mine' }], [three.id]];
        assert.deepEqual(answers.sort(byId), expected.sort(byId));
        assert.deepEqual(others, { late: 1, gone: 1, missing: 0 });
      });

      test('kick', async () => {
        const { room, players } = await company();
        const outside = await join(server, library, { path });
        await outside.ask('kick', room);
        for (const player of players) assert.equal(await player.end(), 'io server disconnect');
        assert.deepEqual(await outside.ask('who', room), [[]]);
        outside.close();
      });

      test('the events of other servers that have the same names', async () => {
        const { players } = await company(1);
        const [player] = players;
        assert.deepEqual(await player.ask('who'), [player.id, '/']);
        assert.deepEqual(await player.ask('ask', 5_000, 'x', nested), ['answer', 'x', nested]);
      });
    });
  }

  describe('the HTTP API', () => {
    let players, room, api, ids;
    before(async () => {
      api = apiOf(server, { path: '/spread-plain/' });
      room = freshRoom();
      players = (await inObjects(server, newest, { path: '/spread-plain/', count: 4, each: 2 })).flat();
      for (const player of players) await player.listen('x', 'last').ask('join', room);
      ids = players.map(({ id }) => id).sort();
    });
    after(() => players?.forEach((player) => player.close()));

    async function ask(name, body, more = {}) {
      const { status, answer } = await api.post(name, { rooms: [room], ...body });
      assert.equal(status, 200, JSON.stringify(answer));
      assert.deepEqual(answer.missing, []);
      return { ...answer, ...more };
    }

    test('emit reaches each of them once, but for those that are excepted', async () => {
      await ask('emit', { event: 'x', args: [1], rooms: [room, players[0].id], except: [players[7].id] });
      await ask('emit', { event: 'last' });
      for (const [index, player] of players.entries()) {
        await player.next('last');
        const heard = player.pending('x').map((args) => withoutOffset(args, 1));
        assert.deepEqual(heard, index === 7 ? [] : [[1]]);
      }
    });

    test('acknowledgements say who', async () => {
      for (const [index, player] of players.entries()) {
        player.socket.on('question?', (answer) => index > 0 && answer(index));
      }
      const { answers, late, gone } = await ask('emit', { event: 'question?', ack: true, timeout: 500 });
      const given = answers.map(({ id, args }) => [id, ...args]).sort(byId);
      const expected = players.slice(1).map(({ id }, index) => [id, index + 1]);
      assert.deepEqual({ given, late, gone }, { given: expected.sort(byId), late: [players[0].id], gone: [] });
    });

    test('sockets, page by page, and a count', async () => {
      assert.equal((await ask('sockets', { count: true })).count, players.length);
      const seen = [];
      let next;
      do {
        const page = await ask('sockets', { limit: 3, ...(next && { after: next }) });
        assert.ok(page.sockets.length <= 3);
        seen.push(...page.sockets.map(({ id }) => id));
        ({ next } = page);
      } while (next !== null);
      assert.deepEqual(seen, ids);
    });

    test('join, rooms and leave, in a batch', async () => {
      const [one, two] = [`${room} one`, `${room} two`];
      const at = (rooms) => ({ rooms: [room], ...rooms });
      const operations = [
        { join: at({ join: [one, two] }) },
        { leave: { rooms: [players[0].id, players[3].id], leave: [two] } },
        { rooms: at({ limit: 1000 }) },
        { leave: { rooms: [one], leave: [one, two] } },
        { sockets: { rooms: [one, two], count: true } },
      ];
      const { status, answer } = await api.post('batch', { operations });
      assert.equal(status, 200);
      const [joined, left, listed, emptied, counted] = answer.results;
      for (const result of [joined, left, emptied]) assert.deepEqual(result, { missing: [] });
      const named = listed.rooms.filter(({ name }) => name.startsWith(room));
      assert.deepEqual(named, [
        { name: room, sockets: 8 },
        { name: one, sockets: 8 },
        { name: two, sockets: 6 },
      ]);
      assert.deepEqual(counted, { count: 0, missing: [] });
    });

    test('those in one object: which one is not said', async () => {
      const { status, answer } = await api.post('emit', { rooms: [room], event: 'x', local: true });
      assert.deepEqual([status, answer.error.field], [400, 'local']);
    });

    test('disconnect', async () => {
      await ask('disconnect', { close: true });
      for (const player of players) assert.match(await player.end(), /io server disconnect|transport close/);
      assert.equal((await ask('sockets', { count: true })).count, 0);
    });
  });
});
