// An application in TypeScript, with a stock client, awake and asleep between any two steps.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { startApplication } from '../harness/typescript.mjs';
import { Queue } from '#dormouse-test/wait.mjs';

for (const strict of [false, true]) {
  for (const asleep of [false, true]) {
    test(`a chat, ${strict ? 'strict, ' : ''}${asleep ? 'asleep between any two steps' : 'awake'}`, async (t) => {
      const server = await startApplication('tests/typescript/application/chat.ts', { strict });
      t.after(() => server.stop());
      const sockets = [];
      t.after(() => sockets.forEach((socket) => socket.close()));

      const open = async (name, namespace = '/') => {
        const socket = io(`${server.url}${namespace}`, { transports: ['websocket'], forceNew: true, auth: { name } });
        sockets.push(socket);
        socket.heard = new Queue();
        socket.on('chat', (text) => socket.heard.push(text));
        socket.on('welcome', (id) => (socket.welcomed = (socket.welcomed ?? 0) + 1));
        socket.on('question', (ack) => ack('an answer'));
        await new Promise((resolve, reject) => {
          socket.on('connect', resolve);
          socket.on('connect_error', reject);
        });
        return socket;
      };
      const ask = async (socket, ...event) => {
        if (asleep) await server.sleep(sockets[0].id);
        return socket.timeout(5000).emitWithAck(...event);
      };

      await assert.rejects(open('nobody'), (error) => error.message === 'who are you?' && error.data.code === 7);
      sockets.length = 0;
      const ada = await open('Ada');
      const bob = await open('Bob');
      assert.equal(await ask(ada, 'chat', 'hello'), 'sent');
      assert.equal(await ask(bob, 'chat', 'hi'), 'sent');
      await hears(ada, 'Bob has come', 'Ada: hello', 'Bob: hi');
      await hears(bob, 'Ada: hello', 'Bob: hi');
      assert.deepEqual(await ask(ada, 'enter', 'kitchen'), ['kitchen', 'lobby']);
      for (const count of [1, 2, 3]) assert.equal(await ask(ada, 'count'), count);
      assert.deepEqual([...(await ask(ada, 'bytes', new Uint8Array([1, 2, 3])))], [2, 3, 4]);
      assert.equal(await ask(ada, 'ask'), 'an answer');
      assert.deepEqual(await ask(ada, 'who'), ['Ada', 'Bob']);
      assert.equal(await ask(ada, 'replayed'), asleep || strict);
      assert.equal(ada.welcomed, 1);

      const game = await open('Ada', '/game');
      const other = await open('Bob', '/game');
      assert.equal(await ask(game, 'move', 1, 2), 3);
      await hears(other, 'moved to 3');

      if (asleep) await server.sleep(sockets[0].id);
      assert.equal(await (await fetch(`${server.url}/announce`)).text(), 'done');
      if (asleep) await server.sleep(sockets[0].id);
      bob.close();
      await ask(ada, 'count');
      await hears(ada, 'announced', 'Bob has gone: client namespace disconnect');
    });
  }
}

async function hears({ heard }, ...texts) {
  for (const text of texts) assert.equal(await heard.next(text), text);
}
