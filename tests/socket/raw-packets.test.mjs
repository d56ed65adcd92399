// Events as they stand on the wire: names, arguments, namespaces, order.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { UNICODE } from '../harness/wire/samples.mjs';

const server = await startServer();
after(() => server.stop());

const rules = ({ member }) => {
  test('an event is `2` and an array: its name, its arguments', async () => {
    const { client } = await member();
    await client.send('2["message"]');
    await client.expect('2["message-back"]');
    await client.send('2["message",1,"two",null,true,[],{}]');
    await client.expect('2["message-back",1,"two",null,true,[],{}]');
  });

  test('JSON is compact, and keys keep their order', async () => {
    const { client } = await member();
    const value = '{"z":1,"a":{"y":[1,[2,{"x":null}]],"b":-1.5},"Z":"","é":"é"}';
    await client.send(`2["message",${value}]`);
    await client.expect(`2["message-back",${value}]`);
  });

  test('JSON with spaces, escapes and other numbers means the same', async () => {
    const { client } = await member();
    const json = '[ "message", { "a" : [ 1.0, 1e3, 0.1 ] } ,\t"\\u00e9\\/\\"" , 9007199254740991 ]';
    await client.send(`2${json}`);
    const [, ...args] = JSON.parse(json);
    assert.deepEqual(JSON.parse((await client.next()).slice(1)), ['message-back', ...args]);
  });

  test('a lone surrogate, which JSON can only escape, comes back', async () => {
    const { client } = await member();
    await client.send('2["message","a\\ud83d","\\udd94b"]');
    const [, ...args] = JSON.parse((await client.next()).slice(1));
    assert.deepEqual(args, ['a\ud83d', '\udd94b']);
  });

  test('Unicode in arguments and names', async () => {
    const player = await member();
    await player.emit('message', UNICODE, { [UNICODE]: '🦔'.repeat(1_000) });
    await player.expect('message-back', UNICODE, { [UNICODE]: '🦔'.repeat(1_000) });
    await player.emit(`é "🦔" \\ ${UNICODE}`, 1);
    await player.expect('any', `é "🦔" \\ ${UNICODE}`, 1);
  });

  test('an event of 900 kB, both ways', async () => {
    const player = await member();
    const text = 'x'.repeat(900_000);
    await player.emit('message', text);
    await player.expect('message-back', text);
    await player.emit('big', 900_000);
    await player.expect('big', text);
  });

  test('the name may be empty, or a number', async () => {
    const { client } = await member();
    await client.send('2["",1]');
    await client.expect('2["any","",1]');
    await client.send('2[7,"x"]');
    const [any, name, ...args] = JSON.parse((await client.next()).slice(1));
    assert.deepEqual([any, String(name), args], ['any', '7', ['x']]);
  });

  test('names of methods and prototypes are names like any other', async () => {
    const player = await member();
    for (const name of ['__proto__', 'constructor', 'toString', 'connection', 'data', '*']) {
      await player.emit(name, 1);
      await player.expect('any', name, 1);
    }
  });

  test('the namespace stands before the array, but not that of `/`', async () => {
    const { client } = await member({ namespace: '/custom' });
    await client.send('2/custom,["message",1]');
    await client.expect('2/custom,["message-back",1]');
  });

  test('many namespaces over one session: each event is for its own', async () => {
    const root = await member();
    const { client } = root;
    const chat = await client.join('/chat');
    const custom = await client.join('/custom');
    await client.send('2["message",1]', '2/chat,["message",2]', '2/custom,["message",3]');
    await client.expect('2["message-back",1]', '2/chat,["message-back",2]', '2/custom,["message-back",3]');
    for (const [socket, name] of [[root, '/'], [chat, '/chat'], [custom, '/custom']]) {
      assert.deepEqual(await socket.ask('who'), [socket.id, name]);
    }
  });

  test('an event that nothing is for reaches the catch-all', async () => {
    const player = await member();
    await player.emit('surprise', 1, { a: 2 });
    await player.expect('any', 'surprise', 1, { a: 2 });
  });

  test('an event that a middleware stops reaches no handler', async () => {
    const player = await member();
    await player.emit('blocked', 1);
    await player.nothing();
  });

  test('a hundred events of the server keep their order', async () => {
    const player = await member();
    await player.emit('burst', 100);
    for (let index = 0; index < 100; index += 1) await player.expect('n', index);
    await player.nothing();
  });

  test('a hundred events of the client keep their order', async () => {
    const player = await member();
    const numbers = Array.from({ length: 100 }, (_, index) => index);
    await player.client.send(...numbers.map((index) => `2["message",${index}]`));
    for (const index of numbers) await player.expect('message-back', index);
  });

  test('an event that is sent later arrives', async () => {
    const player = await member();
    await player.emit('later', 20, 'now', { is: 'later' });
    await player.expect('later', 'now', { is: 'later' });
  });

  test('the data of a socket is its own, and stays', async () => {
    const player = await member({ namespace: '/chat' });
    assert.deepEqual(await player.ask('get-data'), [{ name: null }]);
    await player.ask('set-data', { name: 'é', list: [1, null] });
    assert.deepEqual(await player.ask('get-data'), [{ name: 'é', list: [1, null] }]);
    const root = await member();
    assert.deepEqual(await root.ask('get-data'), [{ name: null }]);
  });
};

eachWay(server, rules, { revisions: [3, 4] });

test('an Engine.IO application beside it knows nothing of packets', async () => {
  const peer = await openSession(server, { path: '/sleepy/' });
  const player = await openMember(server);
  for (const message of ['0', '2["message",1]', '1/chat,']) {
    peer.send(`4${message}`);
    assert.equal(await peer.next(), `4${message}`);
  }
  await player.emit('message', 1);
  await player.expect('message-back', 1);
  peer.close();
});
