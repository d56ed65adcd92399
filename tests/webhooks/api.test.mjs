// The HTTP API of the gateway, which a secret turns on: a back end sends when it likes, and
// not only in its answers.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { join, newest } from '../harness/clients/socket.mjs';
import { BackEnd, startGateway } from '../harness/gateway.mjs';
import { workerOnly } from '../harness/target.mjs';

const backEnd = await BackEnd.start({ connect: () => ({ rooms: ['night shift'] }) });
after(() => backEnd.stop());

const emit = ({ url }, secret) =>
  fetch(`${url}/socket.io/api/v1/emit`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
    body: JSON.stringify({ rooms: ['night shift'], event: 'alarm', args: ['wake up'] }),
  });

test('sends to a room that a back end has put a client into', workerOnly, async (t) => {
  const gateway = await startGateway(backEnd.url, { API_SECRET: 'one', API_SECRET_OLD: 'another' });
  t.after(() => gateway.stop());
  const client = (await join(gateway, newest)).listen('alarm');
  for (const secret of ['one', 'another']) {
    assert.equal((await emit(gateway, secret)).status, 200);
    assert.deepEqual(await client.next('alarm'), ['wake up']);
  }
  assert.equal((await emit(gateway, 'a third')).status, 401);
  client.close();
});

test('is not there without a secret', workerOnly, async (t) => {
  const gateway = await startGateway(backEnd.url);
  t.after(() => gateway.stop());
  assert.equal((await emit(gateway, '')).status, 404);
});
