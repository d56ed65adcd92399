// A deploy that changes the number of hubs. Sessions that poll outlive it in rows, and are in
// their rooms afterwards as they were before: rooms are led by other hubs then, which have to
// know of them.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { PATIENCE } from '#dormouse-test/wait.mjs';
import { objectId } from '../harness/runtime/built.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';

const path = '/spread-hubs/';
const COUNT = 24;
const rooms = Array.from({ length: COUNT }, (_, number) => `room ${number + 10}`);

describe('another number of hubs', workerOnly, () => {
  let server;
  before(async () => (server = await startServer()));
  after(() => server?.stop());

  async function deploy(number) {
    await server.settled();
    await server.kill();
    await server.restart({ DORMOUSE_TEST_HUBS: number });
  }

  const open = (options) => openMember(server, { path, ...options });
  const placeOf = ({ client }) => objectId(client.sid);
  const says = (member, room, value) => member.ask('say', room, value);

  /** Sessions that poll, in different objects, and in all rooms. */
  async function company(count) {
    const members = [];
    while (members.length < count) {
      const member = await open({ transport: 'polling' });
      if (members.some((other) => placeOf(other) === placeOf(member))) {
        await member.client.close();
        continue;
      }
      for (const room of rooms) await member.ask('join', room);
      members.push(member);
    }
    return members;
  }

  /** Everybody hears what is said in each room, once and in order. */
  async function assertHeard(speaker, members, values) {
    for (const value of values) {
      for (const room of rooms) assert.deepEqual(await says(speaker, room, value), ['ok'], room);
    }
    for (const member of members) {
      for (const value of values) for (const _ of rooms) await member.expect('said', value, speaker.id);
    }
  }

  for (const [from, to] of [
    [undefined, 20],
    [20, 3],
    [3, undefined],
    [1, 2],
  ]) {
    test(`from ${from ?? 'the default'} to ${to ?? 'the default'}`, async () => {
      await deploy(from);
      const members = await company(3);
      const before = await open();
      await assertHeard(before, members, [1]);
      await deploy(to);
      // A client that polls comes soon, and with it its object is awake.
      for (const member of members) assert.deepEqual(await member.ask('rooms'), [rooms]);
      const speaker = await open();
      await until(async () => {
        const ids = await speaker.ask('who', rooms[0]);
        return JSON.stringify(ids) === JSON.stringify([members.map(({ id }) => id).sort()]);
      }, 'rooms move');
      await assertHeard(speaker, members, [2, 3]);
      // They leave, join and speak as if nothing had happened.
      const [one, ...others] = members;
      for (const room of rooms.slice(1)) await one.ask('leave', room);
      for (const room of rooms) assert.deepEqual(await says(speaker, room, 4), ['ok']);
      await one.expect('said', 4, speaker.id);
      for (const member of others) for (const _ of rooms) await member.expect('said', 4, speaker.id);
      for (const member of members) await member.client.close();
      await speaker.client.close();
    });
  }
});

/** Waits for something that heals by itself. */
async function until(is, what) {
  const deadline = Date.now() + PATIENCE;
  while (!(await is())) assert.ok(Date.now() < deadline, `not within ${PATIENCE} ms: ${what}`);
}
