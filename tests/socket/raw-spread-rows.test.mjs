// The rows that one client may have hubs write.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

// In a minute, of which all may be used at once.
const MAX_ROWS = 60;

describe('rooms that are new to an object', workerOnly, () => {
  test('are one row of their client each, which then waits', async () => {
    const member = await openMember(server, { path: '/spread-plain/' });
    for (let room = 0; room < 2 * MAX_ROWS; room += 1) await member.emit('join', `room ${room}`);
    // One that is in a room already makes no row for another, and nobody else waits.
    const other = await openMember(server, { path: '/spread-plain/' });
    await other.ask('join', 'another');
    const count = async () => {
      const [rooms] = await member.ask('join', 'room 0');
      return rooms.length;
    };
    while ((await count()) < MAX_ROWS);
    assert.ok((await count()) < MAX_ROWS + 10);
    await member.client.close();
  });
});
