// An application in TypeScript in many objects, from the entry dormouse-io/spread.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join, newest } from '../harness/clients/socket.mjs';
import { objectId } from '../harness/runtime/built.mjs';
import { startApplication } from '../harness/typescript.mjs';

const OFFSETS = { offsets: true, transports: ['websocket'] };

let server;
const players = [];
const objectOf = ({ sid }) => objectId(sid);

/** Somebody in another object than these. */
async function another(...others) {
  for (;;) {
    const player = await join(server, newest, OFFSETS);
    if (!others.includes(objectOf(player))) return player.listen('said', 'told');
    player.close();
  }
}

before(async () => {
  server = await startApplication('tests/typescript/application/spread.ts');
  for (let count = 0; count < 3; count += 1) {
    const player = await another(...players.map(objectOf));
    player.socket.on('asked', (answer) => answer(player.id));
    players.push(player);
  }
});
after(async () => {
  players.forEach((player) => player.close());
  await server?.stop();
});

const sleep = () => Promise.all(players.map(({ sid }) => server.sleep(sid)));
const ids = () => players.map(({ id }) => id).sort();

for (const asleep of [false, true]) {
  test(`a room, its members and their answers, in three objects${asleep ? ', asleep' : ''}`, async () => {
    const [one, two, three] = players;
    if (asleep) await sleep();
    assert.deepEqual(await one.ask('say', 'hello'), ['ok']);
    for (const player of players) assert.deepEqual(await player.next('said'), ['hello']);
    if (asleep) await sleep();
    // Those who have left a moment ago are not among them.
    let who;
    do [who] = await two.ask('who');
    while (who.length > players.length);
    assert.deepEqual(who, ids());
    assert.deepEqual(await two.ask('count'), [players.length]);
    assert.deepEqual(await three.ask('ask'), [ids()]);
    assert.deepEqual(await one.ask('tell', three.id, 'you'), ['ok']);
    assert.deepEqual(await three.next('told'), ['you']);
    await fetch(`${server.url}/say`);
    for (const player of players) assert.deepEqual(await player.next('said'), ['from elsewhere']);
  });
}

test('an object that does not answer is missing from a list, and there is no number without it', async (t) => {
  const [one, , three] = players;
  await server.disturb('fails', objectOf(three));
  t.after(() => server.disturb(undefined, objectOf(three)));
  const [[who, missing], counted] = await Promise.all([one.ask('who'), one.ask('count')]);
  assert.deepEqual([who.length, missing], [2, 1]);
  assert.deepEqual(counted, [['not done everywhere: 1 object did not answer', 1]]);
  await server.disturb(undefined, objectOf(three));
  assert.deepEqual(await one.ask('count'), [3]);
});

test('a client that comes back to another object is the same socket', async () => {
  const [one, two] = players;
  const { id, sid, socket } = one;
  const before = objectOf(one);
  socket.io.reconnection(false);
  do {
    socket.io.engine.close();
    const back = new Promise((resolve) => socket.once('connect', resolve));
    socket.connect();
    await back;
  } while (objectOf(one) === before);
  assert.notEqual(one.sid, sid);
  assert.equal(one.id, id);
  assert.deepEqual(await one.ask('where'), [id, true]);
  await two.ask('say', 'again');
  assert.deepEqual(await one.next('said'), ['again']);
});

test('the entry without many objects says where they are', async () => {
  await assert.rejects(
    startApplication('tests/typescript/application/spread-elsewhere.ts'),
    /placement is not possible: many objects are in dormouse-io\/spread/,
  );
});
