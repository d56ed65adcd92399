// What a back end is told of clients that were cut off, where recovery is on.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { join, newest } from '../harness/clients/socket.mjs';
import { BackEnd, startGateway } from '../harness/gateway.mjs';
import { workerOnly } from '../harness/target.mjs';

const backEnd = await BackEnd.start();
const gateway = await startGateway(backEnd.url, { RECOVERY: 3 });
after(() => Promise.all([gateway.stop(), backEnd.stop()]));

// The object looks for them by its alarm.
const LONGEST_EXPIRY = 60_000;

test('a socket that is kept comes back, or expires', workerOnly, async () => {
  const data = { name: 'ada' };
  backEnd.handlers = { connect: () => ({ data }) };
  const player = await join(gateway, newest, { transports: ['websocket'], reconnection: true, reconnectionDelay: 10 });
  const { socket } = await backEnd.next('connect');
  player.listen('hello');
  // With the offset of an event, its client may come back.
  backEnd.handlers = { event: () => ({ actions: [{ emit: { event: 'hello' } }] }) };
  player.emit('hello');
  await backEnd.next('event');
  await player.next('hello');

  player.socket.io.engine.close();
  assert.deepEqual((await backEnd.next('disconnect')).socket, { ...socket, data });
  const back = await backEnd.next('connect');
  assert.equal(back.recovered, true);
  assert.deepEqual(back.socket, { ...socket, data });

  // A socket that goes at once is not kept.
  await gateway.settled();
  player.socket.io.reconnection(false);
  player.socket.io.engine.close();
  await backEnd.next('disconnect');
  const { id, time, ...expired } = await backEnd.calls.next('expiry', LONGEST_EXPIRY);
  assert.deepEqual(expired, { type: 'expired', namespace: '/', socket: { ...socket, data } });
  assert.ok(id && time);
  player.close();
});
