// What recovery costs in a server of many objects, in rows and calls.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startMetered } from '../harness/meter/metered.mjs';
import { openClient } from '../harness/socket/client.mjs';
import { encodePacket } from '../harness/socket/packet.mjs';
import { heard } from '../harness/socket/recovery.mjs';
import { workerOnly } from '../harness/target.mjs';
import { Company } from './many.mjs';

const EVENTS = 20;
const SECOND = 1_000;
/** In both objects and the hub, with an event that greets it, and those that move along. */
const ROWS_OF_A_MOVE = 10;
/** The claim, its rooms, what it has missed, the confirmation; and its handshake. */
const CALLS_OF_A_MOVE = 5;

describe('recovery in many objects', workerOnly, () => {
  let metered;
  before(async () => (metered = await startMetered()));
  after(() => metered?.stop());

  test('is rows for events, and for clients that move', async () => {
    const company = new Company(metered, '/spread/');
    const open = async (object) => (await openClient(metered, company.place(object))).join('/');
    const members = [await open(1), await open(2), await open(3)];
    for (const member of members) await member.ask('join', 'room');
    const speaker = await open(0);
    const say = async () => {
      await speaker.ask('say', 'room', 1);
      for (const member of members) await heard(member);
    };
    await say();
    await company.live(2 * SECOND);

    const events = await company.spent(async () => {
      for (let event = 0; event < EVENTS; event += 1) await say();
    });
    assert.equal(events.rowsWritten, 2 * EVENTS, 'the event, and what its sender has sent');
    assert.ok(events.fetches <= (1 + members.length) * EVENTS);

    const own = await company.spent(async () => {
      for (let event = 0; event < EVENTS; event += 1) {
        await speaker.emit('message', event);
        await heard(speaker);
      }
    });
    assert.equal(own.rowsWritten, EVENTS, 'one each');
    assert.equal(own.fetches, 0);

    // Everybody has all tables by now.
    const [one, other] = members;
    await move(company, one, 2);
    const moved = await company.spent(() => move(company, other, 1));
    assert.ok(moved.rowsWritten <= ROWS_OF_A_MOVE, `${moved.rowsWritten} rows`);
    assert.ok(moved.fetches <= CALLS_OF_A_MOVE, `${moved.fetches} calls`);
    await company.close();
  });
});

/** A member is cut off, and comes back to another object. */
async function move(company, { client, pid, greeting }, object) {
  await client.lose();
  const back = await openClient(company.metered, company.place(object));
  await back.send(...encodePacket(0, { data: { pid, offset: greeting.at(-1) } }));
  let type;
  while (type !== 0) ({ type } = await back.packet('CONNECT'));
}
