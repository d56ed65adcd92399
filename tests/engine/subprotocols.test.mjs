// WebSocket sub-protocols (RFC 6455, section 1.9): the client offers some, and
// breaks the connection off where it is answered with none of them.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPolling, openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';
import { openWebSocket } from '../harness/wire/websocket.mjs';

const server = await startServer();
after(() => server.stop());

async function selected({ path, query = { EIO: 4 }, protocols }) {
  const peer = await openWebSocket(server, { path, query, protocols });
  const { protocol } = peer.socket;
  peer.destroy();
  return protocol;
}

describe('sub-protocols', { concurrency: true }, () => {
  test('of those that are offered, the first is spoken', async () => {
    assert.equal(await selected({ protocols: ['chat'] }), 'chat');
    assert.equal(await selected({ protocols: ['chat', 'other'] }), 'chat');
  });

  test('none is spoken where none is offered', async () => {
    assert.equal(await selected({ protocols: [] }), '');
  });

  test('an upgrade is answered so too', async () => {
    const { sid } = await openPolling(server);
    assert.equal(await selected({ query: { EIO: 4, sid }, protocols: ['chat'] }), 'chat');
  });

  test('the application selects, and sees what was offered', workerOnly, async () => {
    const protocols = ['one', 'two', 'three'];
    const path = '/proxied/';
    assert.equal(await selected({ path, protocols }), 'two');
    const peer = await openSession(server, { path, protocols });
    peer.send('4cmd:request');
    const { subprotocols } = JSON.parse((await peer.next()).slice(1));
    assert.deepEqual(subprotocols, protocols);
    peer.destroy();
  });

  test('a WebSocket that is accepted only to be refused is answered', async () => {
    const { sid } = await openPolling(server);
    const query = { EIO: 4, sid };
    const probe = await openWebSocket(server, { query });
    const again = await openWebSocket(server, { query, protocols: ['chat'] });
    await again.closed;
    assert.equal(again.socket.protocol, 'chat');
    probe.destroy();
  });
});
