// The chat of examples/typescript, with a stock client.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { startApplication } from '../harness/typescript.mjs';
import { within } from '#dormouse-test/wait.mjs';

let server;
const open = [];
before(async () => (server = await startApplication('examples/typescript/src/index.ts')));
after(async () => {
  for (const socket of open) socket.close();
  await server?.stop();
});

async function join(name) {
  const socket = io(server.url, { forceNew: true, auth: { name } });
  open.push(socket);
  await within(once(socket, 'connect'), 'connect');
  return socket;
}

const next = async (socket, event) => within(once(socket, event), event);

test('people in a room hear each other, through sleep', async () => {
  const [ada, bob] = [await join('Ada'), await join('Bob')];
  assert.deepEqual(await ada.emitWithAck('enter', 'lobby'), ['Ada']);
  const entered = next(ada, 'entered');
  assert.deepEqual(await bob.emitWithAck('enter', 'lobby'), ['Ada', 'Bob']);
  assert.deepEqual(await entered, ['Bob']);

  assert.equal(await server.sleep(ada.id), true);
  const heard = [next(ada, 'message'), next(bob, 'message')];
  ada.emit('message', 'hello');
  for (const message of heard) assert.deepEqual(await message, ['Ada', 'hello']);

  assert.equal(await server.sleep(ada.id), true);
  const typing = next(ada, 'typing');
  bob.emit('typing');
  assert.deepEqual(await typing, ['Bob']);

  assert.equal(await server.sleep(ada.id), true);
  const said = next(bob, 'message');
  await fetch(`${server.url}/say?room=lobby&text=supper`, { method: 'POST' });
  assert.deepEqual(await said, ['the house', 'supper']);

  assert.equal(await server.sleep(ada.id), true);
  const left = next(ada, 'left');
  bob.close();
  assert.deepEqual(await left, ['Bob']);
});

test('somebody without a name is refused', async () => {
  const socket = io(server.url, { forceNew: true });
  open.push(socket);
  const [error] = await next(socket, 'connect_error');
  assert.equal(error.message, 'everybody here has a name');
});
