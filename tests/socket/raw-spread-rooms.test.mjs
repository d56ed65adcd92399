// Rooms of a server in many objects, whose others have to be told before a socket is in one.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

describe('a socket that joins and leaves a room without waiting', workerOnly, () => {
  test('is where it was told to be last', async () => {
    const member = await openMember(server, { path: '/spread-plain/' });
    await member.emit('join', 'left');
    await member.emit('leave', 'left');
    for (const event of ['join', 'leave', 'join']) await member.emit(event, 'joined');
    // Once the others have been told of one, they have been told of what was before it.
    while ((await member.ask('join', 'last'))[0].length < 2);
    assert.deepEqual(await member.ask('rooms'), [['joined', 'last']]);
    await member.client.close();
  });
});
