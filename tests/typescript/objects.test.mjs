// Events to the object of a server, from elsewhere in the Worker.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { startApplication } from '../harness/typescript.mjs';
import { Queue, within } from '#dormouse-test/wait.mjs';

let server;
let socket;
const said = new Queue();
before(async () => {
  server = await startApplication('tests/typescript/application/objects.ts');
  socket = io(server.url, { transports: ['websocket'] });
  socket.on('said', (text) => said.push(text));
  await within(once(socket, 'connect'), 'connect');
});
after(async () => {
  socket?.close();
  await server?.stop();
});

for (const asleep of [false, true]) {
  test(`an event for the object, ${asleep ? 'asleep' : 'awake'}`, async () => {
    if (asleep) assert.equal(await server.sleep(socket.id), true);
    assert.equal(await (await fetch(`${server.url}/tell?text=a`)).text(), 'told');
    // What is emitted there reaches the sockets of that object.
    assert.equal(await said.next(), 'told a');
    if (asleep) assert.equal(await server.sleep(socket.id), true);
    assert.deepEqual(await (await fetch(`${server.url}/double`)).json(), [42]);
  });
}

test('from a handler it reaches nobody', async () => {
  socket.emit('tell', 'nobody');
  await fetch(`${server.url}/tell?text=b`);
  assert.equal(await said.next(), 'told b');
});
