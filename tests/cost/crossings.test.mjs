// How often one message, one connection and one poll cross between JavaScript and wasm.
// The numbers are exact, so that none changes without anybody noticing: whoever saves a
// crossing puts down the new number.

import { before, describe, mock, test } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { crossings } from '../harness/crossings.mjs';
import { root } from '../harness/root.mjs';
import { workerOnly } from '../harness/target.mjs';
import { makeObject } from '../../benches/harness/platform.mjs';

const BUILD = path.join(root, 'tests/worker/build/index.js');
const ID = 'ab'.repeat(32);
const PATH = '/io/';

describe('crossings', workerOnly, () => {
  let object;
  let open;
  let wake;
  let worker;
  before(async () => {
    // None goes off in the middle of something that is counted.
    mock.timers.enable({ apis: ['setTimeout'] });
    ({ object, open, wake } = await makeObject(BUILD, 'Dormouse'));
    const { default: Worker } = await import(pathToFileURL(BUILD));
    const id = { toString: () => ID };
    const objects = { idFromName: () => id, idFromString: () => id, get: () => ({ fetch: (request) => object.fetch(request) }) };
    worker = new Worker({ waitUntil() {}, passThroughOnException() {} }, { DORMOUSE: objects });
    // What is done once for each instance, such as checking the configuration.
    await request('transport=websocket', UPGRADE);
    await request('transport=polling');
  });

  const UPGRADE = { headers: { upgrade: 'websocket', connection: 'Upgrade', origin: 'http://host' } };
  const request = (query, init) => worker.fetch(new Request(`http://host${PATH}?EIO=4&${query}`, init));

  async function member() {
    const socket = await open(PATH);
    object.webSocketMessage(socket, '40');
    return socket;
  }

  /** Of a frame, once the engine and the session have seen others. */
  async function frames(socket, ...data) {
    const bring = () => data.forEach((frame) => object.webSocketMessage(socket, frame));
    bring();
    return (await crossings(bring)).count;
  }

  const messages = [
    ['an event that is sent back', 5, ['42["message","sixteen letters!"]']],
    ['an event that is acknowledged', 5, ['421["message-with-ack","sixteen letters!"]']],
    ['an event with an attachment', 16, ['451-["message",{"_placeholder":true,"num":0}]', new Uint8Array([1, 2, 3]).buffer]],
    ['a pong', 4, ['3']],
  ];
  for (const [what, expected, data] of messages) {
    test(`of ${what}: ${expected}`, async () => {
      assert.equal(await frames(await member(), ...data), expected);
    });
  }

  test('of a question to the client, and its answer', async () => {
    const socket = await member();
    let asked;
    const send = socket.send.bind(socket);
    socket.send = (text) => {
      asked = /^42(\d+)\[/.exec(text)?.[1] ?? asked;
      send(text);
    };
    const ask = async () => {
      object.webSocketMessage(socket, '42["emit-with-ack","x"]');
      object.webSocketMessage(socket, `43${asked}["y"]`);
    };
    await ask();
    const { count } = await crossings(ask);
    assert.equal(count, 13, 'two messages, and a timer that is set and cleared');
  });

  test('of a handshake over WebSocket', async () => {
    const { count } = await crossings(() => request('transport=websocket', UPGRADE));
    assert.equal(count, 56);
    const more = Array.from({ length: 30 }, (_, n) => [`x-${n}`, 'x']);
    const headers = { ...UPGRADE.headers, ...Object.fromEntries(more) };
    const { count: ofMore } = await crossings(() => request('transport=websocket', { headers }));
    assert.equal(ofMore, count, 'it does not depend on how many headers there are');
  });

  test('of a message and a broadcast after sleep', async () => {
    const members = [];
    const grow = async (size) => {
      while (members.length < size) members.push(await member());
    };
    /** Of an object that has slept. */
    const woken = async () => {
      const asleep = wake();
      const say = (message) => crossings(() => asleep.webSocketMessage(members[0], message));
      const { count: first } = await say('42["message","x"]');
      const { count: broadcast } = await say('42["cast",{"from":"server","to":["nobody"]},"x"]');
      return { first, broadcast };
    };
    await grow(10);
    const of10 = await woken();
    await grow(60);
    const of60 = await woken();
    assert.equal(of60.first, of10.first, 'whoever else is asleep');
    assert.equal((of60.broadcast - of10.broadcast) / 50, 1, 'of each that is not meant: its attachment');
  });

  test('of a handshake via polling, a POST and a GET', async () => {
    const { count: handshake, result } = await crossings(() => request('transport=polling'));
    const { sid } = JSON.parse(result.body.slice(1));
    const send = (body) => request(`transport=polling&sid=${sid}`, { method: 'POST', body });
    const poll = () => request(`transport=polling&sid=${sid}`);
    await send('40');
    await poll();
    const { count: post } = await crossings(() => send('42["message","x"]'));
    const { count: get } = await crossings(poll);
    assert.deepEqual({ handshake, post, get }, { handshake: 37, post: 54, get: 34 });
  });
});
