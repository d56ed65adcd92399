// Clients that do not come back: what is kept of them is forgotten in time, and
// the application is told.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { lose } from '../harness/socket/recovery.mjs';
import { workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

describe('a client that does not come back', workerOnly, () => {
  test('expires even where the object has slept since, and nobody is left', async () => {
    const member = await openMember(server, { path: '/recovery-short/', namespace: '/chat' });
    await lose(server, member);
    await server.sleep(member.client.sid);
    const line = await server.logs.waitFor({ event: 'expired', socket: member.id });
    assert.equal(line.namespace, '/chat');
  });
});
