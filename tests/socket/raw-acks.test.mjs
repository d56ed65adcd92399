// Acknowledgements, asked for by the client and by the server.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { freshNamespace, openMember } from '../harness/socket/client.mjs';
import { encodePacket } from '../harness/socket/packet.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs, workerOnly } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;

const BYTES = Buffer.of(1, 2, 3);

const askedByClient = ({ asleep, member }) => {
  test('the acknowledgement has the number of the event, and its values', async () => {
    const { client } = await member();
    await client.send('27["message-with-ack",1,"é",{"b":null,"a":[]}]');
    await client.expect('37[1,"é",{"b":null,"a":[]}]');
  });

  test('an acknowledgement without values is an empty array', async () => {
    const { client } = await member();
    await client.send('21["echo-nothing"]');
    await client.expect('31[]');
  });

  test('one value that is an array is one value', async () => {
    const { client } = await member();
    await client.send('21["message-with-ack",[1,2]]', '22["message-with-ack",null]');
    await client.expect('31[[1,2]]', '32[null]');
  });

  // A handler that waits keeps its object awake, where sleep is not forced upon it.
  const awake = asleep ? { skip: 'it would be lost' } : workerOnly;
  test('the values of another acknowledgement, bytes among them', awake, async () => {
    const player = await member();
    await player.client.send('29["asked-again",1]');
    const id = await player.asked('question', 1);
    await player.answer(id, [2], BYTES, null);
    await player.client.expect(...encodePacket(3, { namespace: '/', id: 9, data: [[2], BYTES, null] }));
  });

  test('a null that the handler returns is a value', async () => {
    const { client } = await member();
    await client.send('21["slow",0,null]');
    await client.expect('31[null]');
  });

  test('numbers from 0 to many digits', async () => {
    const { client } = await member();
    for (const id of [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 999_999_999_999_999]) {
      await client.send(`2${id}["message-with-ack",${id}]`);
      await client.expect(`3${id}[${id}]`);
    }
  });

  test('the namespace stands before the number', async () => {
    const { client } = await member({ namespace: '/custom' });
    await client.send('2/custom,7["message-with-ack"]');
    await client.expect('3/custom,7[]');
  });

  test('the same number in two namespaces', async () => {
    const { client } = await member();
    await client.join('/chat');
    await client.send('21["message-with-ack","root"]', '2/chat,1["message-with-ack","chat"]');
    await client.expect('31["root"]', '3/chat,1["chat"]');
  });

  test('an event sent again, with a new number or the same, is an event each time', async () => {
    const { client } = await member();
    await client.send('21["message-with-ack","a"]', '22["message-with-ack","a"]', '22["message-with-ack","a"]');
    await client.expect('31["a"]', '32["a"]', '32["a"]');
  });

  test('no acknowledgement where none was asked for', async () => {
    const player = await member();
    await player.emit('message-with-ack', 1);
    await player.emit('who');
    await player.nothing();
  });

  test('a hundred at once are answered each', async () => {
    const { client } = await member();
    const ids = Array.from({ length: 100 }, (_, id) => id);
    await client.send(...ids.map((id) => `2${id}["message-with-ack",${id}]`));
    await client.expect(...ids.map((id) => `3${id}[${id}]`));
  });

  test('arguments of another kind than the handler takes: the error form', workerOnly, async () => {
    const player = await member();
    for (const args of [[1, 2], [], ['x'], ['x', 'y'], [null, null], ['x', 1.5]]) {
      const [answer, ...more] = await player.ask('typed', ...args);
      assert.deepEqual([Object.keys(answer), typeof answer.error, more], [['error'], 'string', []]);
    }
    assert.deepEqual(await player.ask('typed', 'x', 1), ['x:1']);
  });

  test('the same for a handler that acknowledges by itself', workerOnly, async () => {
    for (const namespace of ['/', '/plain']) {
      const player = await member({ namespace });
      const [answer, ...more] = await player.ask('make-disconnect', 'nobody');
      assert.deepEqual([Object.keys(answer), typeof answer.error, more], [['error'], 'string', []]);
    }
  });

  test('one that fails before it has acknowledged: the error form', workerOnly, async () => {
    for (const namespace of ['/', '/plain']) {
      const player = await member({ namespace });
      assert.deepEqual(await player.ask('cast', {}, 'connect'), [{ error: 'internal error' }]);
      await player.nothing();
    }
  });

  test('one that fails after that: its acknowledgement, once', workerOnly, async () => {
    for (const namespace of ['/', '/plain']) {
      const player = await member({ namespace });
      assert.deepEqual(await player.ask('ack-and-fail', 1), [1]);
      await player.nothing();
    }
  });

  test('a handler that says no: the error form, with its words, and nothing wrong', workerOnly, async () => {
    const player = await member();
    assert.deepEqual(await player.ask('decline', 'no "luck"'), [{ error: 'no "luck"' }]);
    assert.deepEqual(await player.ask('decline', 'no', [1]), [{ error: 'no', data: [1] }]);
    assert.deepEqual(await player.ask('who'), [player.id, '/']);
    await logs.waitFor({ event: 'event rejected', socket: player.id, message: 'no "luck"', level: 'info' });
  });

  test('a handler that fails again and again: one line, and at the end how many more', workerOnly, async () => {
    const player = await openMember(server, { namespace: '/plain' });
    for (let count = 0; count < 20; count += 1) {
      assert.deepEqual(await player.ask('fail', 'again'), [{ error: 'internal error' }]);
    }
    const { sid } = player.client;
    await player.client.close();
    const last = await logs.waitFor({ event: 'handler failed', sid, left_out: '19' });
    assert.equal(last.level, 'warn');
    assert.equal(logs.find({ event: 'handler failed', sid }).length, 2);
  });

  test('a handler that fails: an internal error, and its words are in the log', workerOnly, async () => {
    const player = await member();
    assert.deepEqual(await player.ask('fail', 'no "luck"'), [{ error: 'internal error' }]);
    assert.deepEqual(await player.ask('who'), [player.id, '/']);
    await logs.waitFor({ event: 'handler failed', socket: player.id, message: 'no "luck"', level: 'error' });
  });

  for (const name of ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']) {
    test(`the server emits no \`${name}\`, for clients would go; the application is told`, workerOnly, async () => {
      const player = await member({ namespace: freshNamespace() });
      const internal = [{ error: 'internal error' }];
      assert.deepEqual(await player.ask('emit', name), internal);
      assert.deepEqual(await player.ask('direct', player.id, name), internal);
      const message = `\`${name}\` is a reserved event name`;
      await logs.waitFor({ event: 'handler failed', socket: player.id, message, level: 'error' });
      await player.nothing();
    });
  }

  test('an event that a middleware stops: the error form', workerOnly, async () => {
    const player = await member();
    assert.deepEqual(await player.ask('blocked'), [{ error: 'blocked' }]);
  });

  test('an error without an acknowledgement says nothing to the client', workerOnly, async () => {
    const player = await member();
    await player.emit('fail', 'quietly');
    await player.emit('typed', 1);
    await player.nothing();
  });
};

const askedByServer = ({ open, member }) => {
  test('a slow handler does not hold up the next event', async () => {
    const { client } = await member();
    await client.send('21["slow",60,"slow"]', '22["message-with-ack","fast"]');
    await client.expect('32["fast"]', '31["slow"]');
  });

  test('a handler that is not done when its client leaves is nobody\'s trouble', async () => {
    const chat = await member({ namespace: '/chat' });
    await chat.client.send('2/chat,1["slow",50,"late"]', '1/chat,');
    const root = await chat.client.join('/');
    await root.emit('later', 100, 'after');
    const heard = [await chat.client.next()];
    while (heard.at(-1) !== '2["later","after"]') heard.push(await chat.client.next());
    // The reference server acknowledges all the same.
    assert.ok(heard.every((text) => text.startsWith('2["later"') || text === '3/chat,1["late"]'), heard.join());
  });

  test('the server asks: the client answers with the number that it was given', async () => {
    const player = await member();
    await player.emit('emit-with-ack', 1, 'é');
    const id = await player.asked('emit-with-ack', 1, 'é');
    await player.answer(id, 'one', { two: 2 });
    await player.expect('emit-with-ack', 'one', { two: 2 });
  });

  test('the server asks in a namespace', async () => {
    const player = await member({ namespace: '/custom' });
    await player.emit('emit-with-ack', 1);
    const id = await player.asked('emit-with-ack', 1);
    await player.answer(id);
    await player.expect('emit-with-ack');
  });

  test('the server asks with attachments, and gets some', async () => {
    const player = await member();
    await player.emit('emit-with-ack', BYTES, { a: BYTES });
    const { type, id, data } = await player.client.packet();
    assert.deepEqual([type, data], [5, ['emit-with-ack', BYTES, { a: BYTES }]]);
    await player.answer(id, [BYTES], 'x');
    await player.receives('emit-with-ack', [BYTES], 'x');
  });

  test('a question with each its own number; answers in any order', async () => {
    const { client } = await member();
    await client.send('21["ask",5000,"a"]', '22["ask",5000,"b"]');
    const questions = [await client.packet(), await client.packet()];
    assert.notEqual(questions[0].id, questions[1].id);
    const { id: second } = questions.find(({ data }) => data[1] === 'b');
    const { id: first } = questions.find(({ data }) => data[1] === 'a');
    await client.send(`3${second}["to b"]`);
    await client.expect('32["answer","to b"]');
    await client.send(`3${first}["to a",1]`);
    await client.expect('31["answer","to a",1]');
  });

  test('an acknowledgement that nobody waits for is ignored', async () => {
    const player = await member();
    const { client } = player;
    await client.send('30[]', '3999999[1,2]', '32147483648[{"a":1}]', `61-5[{"_placeholder":true,"num":0}]`, BYTES);
    await player.nothing();
  });

  test('a repeated acknowledgement is ignored: the first one counts', async () => {
    const player = await member();
    await player.emit('emit-with-ack', 1);
    const id = await player.asked('emit-with-ack', 1);
    for (const value of ['first', 'second', 'third']) await player.answer(id, value);
    await player.expect('emit-with-ack', 'first');
    await player.nothing();
  });

  test('nobody can acknowledge for another client', async () => {
    const namespace = freshNamespace();
    const player = await member({ namespace });
    const other = await member({ namespace });
    await player.emit('emit-with-ack', 1);
    const id = await player.asked('emit-with-ack', 1);
    await other.answer(id, 'forged');
    await other.nothing();
    await player.nothing();
    await player.answer(id, 'mine');
    await player.expect('emit-with-ack', 'mine');
  });

  test('nor from another namespace of the same client', async () => {
    const client = await open();
    const root = await client.join('/');
    const chat = await client.join('/chat');
    await root.emit('emit-with-ack', 1);
    const id = await root.asked('emit-with-ack', 1);
    await chat.answer(id, 'forged');
    await chat.nothing();
    await root.answer(id, 'mine');
    await root.expect('emit-with-ack', 'mine');
  });

  test('no answer within the timeout; one that comes later is ignored', async () => {
    const player = await member();
    await player.client.send('21["ask",50,"quick"]');
    const id = await player.asked('question', 'quick');
    await player.client.expect('31["timeout"]');
    await player.answer(id, 'late');
    await player.nothing();
  });
};

const askedOfMany = ({ member }) => {
  const group = async (count) => {
    const namespace = freshNamespace();
    const asker = await member({ namespace });
    const others = [];
    for (let index = 0; index < count; index += 1) others.push(await member({ namespace }));
    return { asker, others };
  };
  const ask = (asker, operators, ...event) => {
    const json = JSON.stringify(['cast', { ack: true, timeout: 5_000, ...operators }, ...event]);
    return asker.client.send(`2${asker.prefix}77${json}`);
  };

  test('each has a result of its own, with the id of who it was', workerOnly, async () => {
    const { asker, others } = await group(4);
    const json = JSON.stringify(['count', { timeout: 1_500 }, 'q']);
    await asker.client.send(`2${asker.prefix}77${json}`);
    const ids = [];
    for (const other of others) ids.push(await other.asked('q'));
    const [right, wrong, late, gone] = others;
    await right.answer(ids[0], 42, 'more');
    await wrong.answer(ids[1], 'x');
    await gone.client.send(`1${gone.prefix}`);
    const answer = await asker.client.next('acknowledgement of count');
    const [all] = JSON.parse(answer.slice(`3${asker.prefix}77`.length));
    const other = 'acknowledged with something else: argument 1: invalid type: string "x", expected i64';
    const expected = [
      [right.id, 42],
      [wrong.id, other],
      [late.id, 'not acknowledged in time'],
      [gone.id, 'disconnected before it acknowledged'],
    ];
    assert.deepEqual(new Map(all), new Map(expected));
  });

  test('one number serves the whole broadcast; all answers are gathered', async () => {
    const { asker, others } = await group(3);
    await ask(asker, {}, 'q', 1);
    const ids = new Set();
    for (const [index, other] of others.entries()) {
      const id = await other.asked('q', 1);
      ids.add(id);
      await other.answer(id, `from ${index}`, 'more');
    }
    assert.equal(ids.size, 1);
    await asker.client.expect(`3${asker.prefix}77["ok",["from 0","from 1","from 2"]]`);
  });

  test('from the server, the asker is asked as well', async () => {
    const { asker, others } = await group(1);
    await ask(asker, { from: 'server' }, 'q');
    await asker.answer(await asker.asked('q'), 'a');
    await others[0].answer(await others[0].asked('q'), 'b');
    await asker.client.expect(`3${asker.prefix}77["ok",["a","b"]]`);
  });

  test('with nobody there the answers are none, at once', async () => {
    const { asker } = await group(0);
    await ask(asker, {}, 'q');
    await asker.client.expect(`3${asker.prefix}77["ok",[]]`);
    await ask(asker, { from: 'server', to: ['nowhere'] }, 'q');
    await asker.client.expect(`3${asker.prefix}77["ok",[]]`);
  });

  test('who does not answer in time is missing; the others are not', async () => {
    const { asker, others } = await group(2);
    await ask(asker, { timeout: 1_000 }, 'q');
    const id = await others[0].asked('q');
    await others[0].answer(id, 'here');
    await others[1].asked('q');
    await asker.client.expect(`3${asker.prefix}77["timeout",["here"]]`);
    await others[1].answer(id, 'late');
    await others[1].nothing();
    await asker.nothing();
  });

  test('one that answers twice does not answer for another', async () => {
    const { asker, others } = await group(2);
    await ask(asker, {}, 'q');
    const id = await others[0].asked('q');
    await others[0].answer(id, 'a');
    await others[0].answer(id, 'again');
    await others[0].nothing();
    await others[1].asked('q');
    await others[1].answer(id, 'b');
    await asker.client.expect(`3${asker.prefix}77["ok",["a","b"]]`);
  });

  test('one that leaves is waited for no more', differs('waits for it'), async () => {
    const { asker, others } = await group(2);
    await ask(asker, {}, 'q');
    await others[0].answer(await others[0].asked('q'), 'here');
    await others[1].asked('q');
    await others[1].client.send(`1${others[1].prefix}`);
    await asker.client.expect(`3${asker.prefix}77["ok",["here"]]`);
  });
};

eachWay(server, askedByClient, { revisions: [3, 4] });
// A question keeps its object awake: see the tests of sleep.
eachWay(server, askedByServer, { revisions: [3, 4], asleep: false });
describe('of many', () => eachWay(server, askedOfMany, { revisions: [3, 4], asleep: false }));
