// What people can make the playground's chat write, counted by a meter on the real
// runtime, and what it tells them of each other. No browser is needed, but the
// playground is built for this part alone.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startMetered } from '../harness/meter/metered.mjs';
import { openClient } from '../harness/socket/client.mjs';

const MOST_ROOMS = 10;

const server = await startMetered({ build: 'build' });
after(() => server.stop());

let objects = 0;

/** The chat in an object of its own. */
function freshChat() {
  const object = `chat-${(objects += 1)}`;
  const enter = (options) => join({ query: { object }, ...options });
  /** The rows that something makes the object write, at once or when its timers go off. */
  const rows = async (act) => {
    await settle();
    const before = await server.state(object);
    await act();
    await settle();
    const { counts } = await server.state(object);
    return counts.rowsWritten - before.counts.rowsWritten;
  };
  const settle = async () => {
    const { now } = await server.state(object);
    await server.jump(now + 1_000);
    await server.fire(object);
  };
  return { enter, rows };
}

/** A client in the root namespace, where nobody greets it. */
async function join({ revision = 4, ...options }) {
  const client = await openClient(server, { path: '/socket.io/', revision, ...options });
  if (revision === 4) await client.send('0');
  const connected = (await client.next('answer to CONNECT')).slice(1);
  return client.as('/', revision === 4 ? JSON.parse(connected) : { sid: client.sid });
}

/** The next event is this one. It ends with its offset, for recovery. */
async function hears(member, ...data) {
  const heard = (await member.client.packet()).data;
  assert.deepEqual(heard.slice(0, -1), data);
}

const enter = (member, room, name = 'Ada') => member.ask('enter', { name, room });

async function enterRooms(member, count) {
  for (let room = 0; room < count; room += 1) await enter(member, `room ${room}`);
}

describe('rows', () => {
  test('a new name is written once and told once, however many rooms there are', async () => {
    const costs = [];
    for (const count of [1, MOST_ROOMS]) {
      const chat = freshChat();
      const ada = await chat.enter();
      const bob = await chat.enter();
      await enterRooms(ada, count);
      const [{ you }] = await enter(ada, 'room 0');
      for (let room = 0; room < count; room += 1) await enter(bob, `room ${room}`, 'Bob');
      for (let room = 0; room < count; room += 1) {
        const [name, { person }] = (await ada.client.packet()).data;
        assert.deepEqual([name, person.name], ['entered', 'Bob']);
      }
      costs.push(await chat.rows(() => ada.ask('rename', { name: 'Augusta' })));
      await hears(bob, 'renamed', { room: null, person: { id: you, name: 'Augusta' } });
      assert.deepEqual(await bob.ask('leave', { room: 'elsewhere' }), [{}], 'nothing else was told');
    }
    assert.equal(costs[0], costs[1]);
    assert.ok(costs[0] > 0 && costs[0] <= 4, `${costs[0]} rows`);
  });

  test('who goes is told once, however many rooms there are', async () => {
    const costs = [];
    for (const count of [1, MOST_ROOMS]) {
      const chat = freshChat();
      const ada = await chat.enter();
      const bob = await chat.enter();
      await enterRooms(ada, count);
      const [{ you }] = await enter(ada, 'room 0');
      await enter(bob, 'room 0', 'Bob');
      costs.push(
        await chat.rows(async () => {
          ada.client.send('1');
          await hears(bob, 'gone', { room: null, person: { id: you, name: 'Ada' } });
        }),
      );
    }
    assert.equal(costs[0], costs[1]);
    assert.ok(costs[0] <= 4, `${costs[0]} rows`);
  });

  test('what changes nothing writes nothing', async () => {
    const chat = freshChat();
    const ada = await chat.enter();
    await enter(ada, 'room');
    for (const again of [
      () => enter(ada, 'room'),
      () => ada.ask('rename', { name: ' Ada ' }),
      () => ada.ask('leave', { room: 'elsewhere' }),
      () => ada.emit('typing', { room: 'room', typing: true }),
      () => ada.ask('message', { room: 'elsewhere', text: 'hello' }),
      () => ada.ask('message', { room: 'room', text: 'x'.repeat(2_001) }),
      () => ada.ask('rename', { name: 'x'.repeat(31) }),
      () => enter(ada, 'x'.repeat(41)),
    ]) {
      assert.equal(await chat.rows(again), 0, String(again));
    }
  });

  test('nobody is in more rooms than allowed, until they leave one', async () => {
    const chat = freshChat();
    const ada = await chat.enter();
    await enterRooms(ada, MOST_ROOMS);
    const refused = await chat.rows(async () => {
      assert.deepEqual(await enter(ada, 'one more'), [{ error: 'leave another room first' }]);
    });
    assert.equal(refused, 0);
    assert.deepEqual(await ada.ask('leave', { room: 'room 0' }), [{}]);
    const [{ people }] = await enter(ada, 'one more');
    assert.deepEqual(people.map(({ name }) => name), ['Ada']);
  });
});

describe('a room of a hundred', () => {
  test('is full', async () => {
    const chat = freshChat();
    const crowd = await Promise.all(Array.from({ length: 101 }, () => chat.enter()));
    for (const [index, member] of crowd.slice(0, 100).entries()) {
      await member.client.send(`21["enter",{"name":"${index}","room":"hall"}]`);
      let answer = await member.client.next();
      while (!answer.startsWith('31[')) answer = await member.client.next();
      assert.equal(JSON.parse(answer.slice(2))[0].people.length, index + 1);
    }
    assert.deepEqual(await enter(crowd[100], 'hall'), [{ error: 'the room is full' }]);
    for (const { client } of crowd) client.send('1');
  });
});

for (const revision of [3, 4]) {
  test(`revision ${revision}: nobody is told the id of another's session`, async () => {
    const chat = freshChat();
    const ada = await chat.enter({ revision });
    const bob = await chat.enter();
    await enter(bob, 'room', 'Bob');
    await enter(ada, 'room');
    await ada.emit('typing', { room: 'room', typing: true });
    await ada.ask('message', { room: 'room', text: 'hello' });
    await ada.ask('rename', { name: 'Augusta' });
    await ada.ask('leave', { room: 'room' });
    const told = [];
    while (told.length < 5) told.push(await bob.client.next());
    const heard = [...told, JSON.stringify(await enter(bob, 'room', 'Bob'))].join('\n');
    assert.match(heard, /hello/);
    assert.ok(!heard.includes(ada.client.sid.slice(43)), heard);
  });
}
