// The bounds of src/proto/cluster/mod.rs as a user of many objects meets them: below, at and
// above. Where nothing goes on because a hub does not answer, what is too much is refused at
// once, and everything else ends.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { apiOf, secret } from '../harness/api.mjs';
import { join, newest } from '../harness/clients/socket.mjs';
import { inObjects, objectOf } from '../harness/socket/spread.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';
import { within } from '#dormouse-test/wait.mjs';

const MAX_WAITING = 1_000;
const MAX_WAITING_BYTES = 4 << 20;
const MAX_ROOMS = 1_000;
const MAX_NAMED = 64;

const path = '/spread-plain/';
const OVERLOADED = 'too much waits for other objects';
const LONGEST = 45_000;
/** Characters of an event, so that few fit. */
const LARGE = 900_000;
const range = (count) => Array.from({ length: count }, (_, index) => index);

describe('many objects', { concurrency: true, ...workerOnly }, () => {
  let server, crews;
  before(async () => {
    server = await startServer();
    // A client alone may not have so many messages that wait for their handlers.
    crews = await inObjects(server, newest, { path, count: 2, each: 3 });
    for (const player of crews.flat()) await player.ask('join', 'room');
    await server.disturb('hangs');
  });
  after(async () => {
    crews?.flat().forEach((player) => player.close());
    await server?.stop();
  });

  /** What comes of so many events that clients of one object send, and of one before them. */
  async function outcomes(crew, count, value) {
    const say = (index) =>
      new Promise((resolve) => crew[index % crew.length].socket.emit('say', 'room', value, resolve));
    // The first one leaves, and the others wait for it.
    const first = say(0);
    await crew[0].ask('where');
    const all = await within(Promise.all(range(count).map(say)), 'all answers', LONGEST);
    const refused = all.filter(({ error }) => error === OVERLOADED);
    for (const outcome of [await first, ...all]) {
      if (!refused.includes(outcome)) assert.match(outcome.error, /^another object did not answer/);
    }
    return { waited: count - refused.length, refused: refused.length };
  }

  test(`${MAX_WAITING} events wait for a hub`, async () => {
    assert.deepEqual(await outcomes(crews[0], MAX_WAITING + 1, 1), { waited: MAX_WAITING, refused: 1 });
  });

  test(`${MAX_WAITING_BYTES} bytes of events wait for a hub`, async () => {
    const fit = Math.floor(MAX_WAITING_BYTES / LARGE);
    const large = 'x'.repeat(LARGE);
    assert.deepEqual(await outcomes(crews[1], fit + 1, large), { waited: fit, refused: 1 });
  });

  test(`an operation on ${MAX_ROOMS} rooms`, async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const players = (await inObjects(server, newest, { path, count: 2 })).flat();
    t.after(() => players.forEach((player) => player.close()));
    const [one, two] = players;
    await two.listen('cast').ask('join', 'room 0');
    const rooms = (count) => range(count).map((number) => `room ${number}`);
    for (const count of [MAX_ROOMS - 1, MAX_ROOMS]) {
      assert.deepEqual(await one.ask('cast', { to: rooms(count) }, 'cast', count), ['ok']);
      assert.deepEqual(await two.next('cast'), [count]);
    }
    assert.deepEqual(await one.ask('cast', { to: rooms(MAX_ROOMS + 1) }, 'cast', 0), [{ error: 'internal error' }]);
    await server.logs.waitFor({ message: 'more rooms than allowed (max_rooms)' });
    assert.deepEqual(two.pending('cast'), []);
  });

  test(`${MAX_NAMED} objects are named that are missing, and others counted`, async (t) => {
    const server = await startServer({ crowded: true, variables: { API_SECRET: secret } });
    t.after(() => server.stop());
    const scattered = '/scattered/';
    const players = [];
    t.after(() => players.forEach((player) => player.close()));
    const found = new Set();
    while (found.size < MAX_NAMED + 2) {
      const player = await join(server, newest, { path: scattered, transports: ['websocket'] });
      await player.ask('join', 'all');
      players.push(player);
      found.add(objectOf(player));
    }
    const places = [...found];
    const api = apiOf(server, { path: scattered });
    const missing = async () => {
      const { answer } = await api.post('sockets', { rooms: ['all'], count: true });
      return answer.missing;
    };
    for (const place of places.slice(0, MAX_NAMED)) await server.disturb('fails', place);
    assert.deepEqual((await missing()).sort(), places.slice(0, MAX_NAMED).sort());
    await server.disturb('fails', places[MAX_NAMED]);
    const named = await missing();
    assert.deepEqual([named.length, named.at(-1)], [MAX_NAMED + 1, '1 others']);
  });
});
