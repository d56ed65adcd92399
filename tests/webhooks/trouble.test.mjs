// What becomes of clients while their back end is slow, broken or gone. Each test has an
// object of its own, and so a circuit of its own.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { join, newest } from '../harness/clients/socket.mjs';
import { BackEnd, cut, startGateway } from '../harness/gateway.mjs';
import { workerOnly } from '../harness/target.mjs';

const variables = { PLACEMENT: 'query:room', WEBHOOK_TIME_LIMIT: 2, WEBHOOK_IN_FLIGHT: [2, 3, 4] };
const unavailable = 'service unavailable';
const internal = 'internal error';

const backEnd = await BackEnd.start();
const gateway = await startGateway(backEnd.url, variables);
after(() => Promise.all([gateway.stop(), backEnd.stop()]));

const inRoom = (room) => ({ transports: ['websocket'], query: { room } });

async function enter(room) {
  backEnd.handlers = {};
  const player = await join(gateway, newest, inRoom(room));
  await backEnd.skipTo('connect');
  return player;
}

async function refusal(room) {
  const error = await join(gateway, newest, inRoom(room)).catch((error) => error);
  return error.refusal.message;
}

async function leave(player) {
  backEnd.handlers = {};
  player.close();
  // Calls of which nobody waits for the answer may have come before.
  await backEnd.skipTo('disconnect');
}

const ok = (body) => ({ status: 200, body });
const html = { 'content-type': 'text/html' };
const never = () => new Promise(() => {});

/** What a back end does, what clients are told, and what the log says. */
const troubles = {
  'answers 500': [() => ({ status: 500 }), internal, 'answered with status 500'],
  'answers 503': [() => ({ status: 503 }), unavailable, 'answered with status 503'],
  'breaks the connection': [() => cut, unavailable, /^not reached: ./],
  'answers nothing': [never, unavailable, 'no answer within 2000 ms'],
  'answers 10 MB': [() => ok(Buffer.alloc(10_000_000, ' ')), internal, 'the answer has more than 1000000 bytes'],
  'answers 10 MB with 400': [
    () => ({ status: 400, body: Buffer.alloc(10_000_000, ' ') }),
    internal,
    'the answer has more than 1000000 bytes',
  ],
  'answers with another page': [() => ({ status: 200, headers: html, body: '<html>' }), internal, /not right: expected/],
  'answers an unknown field': [() => ok({ acks: 1 }), internal, /unknown field `acks`/],
  'asks for an unknown action': [() => ok({ actions: [{ kick: {} }] }), internal, /unknown variant `kick`/],
  'asks for a reserved event': [
    () => ok({ actions: [{ emit: { event: 'heard' } }, { emit: { event: 'connect' } }] }),
    internal,
    /actions\[1\]\.emit\.event: `connect` is reserved/,
  ],
  'names a namespace that there is not': [
    () => ok({ data: 1, actions: [{ emit: { event: 'heard' } }, { join: { join: ['a'], namespace: '/nowhere' } }] }),
    internal,
    /actions\[1\]: the namespace `\/nowhere` is not defined/,
  ],
  'answers with too much data': [
    () => ({ status: 200, body: ` ${JSON.stringify({ rooms: Array(1001).fill('a') })}` }),
    internal,
    /rooms: there are more than 1000 rooms/,
  ],
  redirects: [
    () => ({ status: 302, headers: { location: '/elsewhere' } }),
    internal,
    /redirected to \/elsewhere: redirects are not followed/,
  ],
};

async function logged(type, message) {
  const found = () => gateway.logs.find({ type }).find((line) => matches(line.message, message));
  while (!found()) await new Promise((resolve) => setTimeout(resolve, 20));
  return found();
}

const matches = (text, expect) => (typeof expect === 'string' ? text === expect : expect.test(text));

describe('a back end that', workerOnly, () => {
  for (const [what, [answer, told, line]] of Object.entries(troubles)) {
    test(`${what} about an event`, async () => {
      const player = await enter(what);
      player.listen('heard');
      backEnd.handlers = { event: answer };
      backEnd.attempts = [];
      assert.deepEqual(await player.ask('anything'), [{ error: told }]);
      await backEnd.skipTo('event');
      const { level, event } = await logged('event', line);
      assert.equal(`${level} ${event}`, told === internal ? 'error webhook failed' : 'warn webhook unavailable');
      // Nothing was done, nothing was asked again, and nothing was asked elsewhere.
      assert.deepEqual(player.pending('heard'), []);
      assert.equal(backEnd.attempts.length, 1);
      // It is as if nothing had been, for the next one.
      backEnd.handlers = { event: () => ({ ack: 'fine' }) };
      assert.deepEqual(await player.ask('anything'), ['fine']);
      await backEnd.skipTo('event');
      await leave(player);
    });

    test(`${what} about a client`, async () => {
      backEnd.handlers = { connect: answer };
      assert.equal(await refusal(`${what} about a client`), told);
    });
  }

  test('is not there at all', async () => {
    const gone = await BackEnd.start();
    const { url } = gone;
    await gone.stop();
    const lonely = await startGateway(url, variables);
    try {
      const error = await join(lonely, newest, inRoom('a')).catch((error) => error);
      assert.equal(error.refusal.message, unavailable);
    } finally {
      await lonely.stop();
    }
  });
});

describe('calls', workerOnly, () => {
  test('about clients are made again, with the same id and the time of the attempt', async () => {
    backEnd.attempts = [];
    let times = 0;
    backEnd.handlers = { connect: () => (++times < 3 ? { status: 503 } : {}) };
    const player = await join(gateway, newest, inRoom('again'));
    for (let time = 0; time < 3; time += 1) await backEnd.skipTo('connect');
    const [first, ...others] = backEnd.attempts.filter(({ call }) => call.type === 'connect');
    assert.equal(others.length, 2);
    for (const { text, headers } of others) {
      assert.equal(text, first.text);
      assert.equal(headers['webhook-id'], first.headers['webhook-id']);
    }
    await leave(player);
  });

  test('of one client wait for their turn, in order, and not for those of others', async () => {
    const ada = await enter('turns');
    const bob = await enter('turns');
    const waiting = [];
    const event = () => new Promise((resolve) => waiting.push(() => resolve({ ack: 'done' })));
    backEnd.handlers = { event };
    const asked = [1, 2, 3, 4].map((number) => ada.ask('go', number));
    for (const number of [1, 2]) assert.deepEqual((await backEnd.skipTo('event')).args, [number]);
    const other = bob.ask('go', 5);
    assert.deepEqual((await backEnd.skipTo('event')).args, [5]);
    for (const number of [3, 4]) {
      waiting.shift()();
      assert.deepEqual((await backEnd.skipTo('event')).args, [number]);
    }
    for (const answer of waiting) answer();
    assert.deepEqual(await Promise.all([...asked, other]), Array(5).fill(['done']));
    await leave(ada);
    await leave(bob);
  });

  test('that wait for too long fail', async () => {
    const player = await enter('late');
    backEnd.handlers = { event: never };
    const asked = [1, 2, 3].map((number) => player.ask('go', number));
    assert.deepEqual(await Promise.all(asked), Array(3).fill([{ error: unavailable }]));
    await leave(player);
  });

  test('are not made while the circuit is open, until one succeeds', async () => {
    const player = await enter('circuit');
    backEnd.handlers = { event: () => ({ status: 503 }) };
    const since = gateway.logs.events.length;
    for (let time = 0; time < 5; time += 1) {
      assert.deepEqual(await player.ask('anything'), [{ error: unavailable }]);
      await backEnd.skipTo('event');
    }
    assert.deepEqual(await player.ask('anything'), [{ error: unavailable }]);
    assert.equal(await refusal('circuit'), unavailable);
    assert.deepEqual(backEnd.calls.pending, []);
    backEnd.handlers = { event: () => ({ ack: 'fine' }) };
    let answer;
    do {
      // Asked without a pause, it would be beyond its rate limit, and its events dropped.
      await new Promise((resolve) => setTimeout(resolve, 100));
      [answer] = await player.ask('anything');
    } while (answer !== 'fine');
    const states = gateway.logs.events.slice(since).filter(({ event }) => event === 'webhook circuit');
    const whose = 'for unknown addresses';
    assert.deepEqual(states.map(({ message }) => message), [`open for 5 s ${whose}`, `closed ${whose}`]);
    await leave(player);
  });

  test('of a client that has gone end with it', async () => {
    const player = await enter('gone');
    const closed = Promise.withResolvers();
    backEnd.handlers = { event: never, disconnect: () => closed.resolve() };
    player.emit('anything');
    await backEnd.skipTo('event');
    player.close();
    await closed.promise;
    await backEnd.skipTo('disconnect');
    // The object still serves others.
    await leave(await enter('gone'));
  });
});

test('events are made again where the back end remembers ids', workerOnly, async () => {
  const another = await startGateway(backEnd.url, { ...variables, WEBHOOK_RETRY_EVENTS: true });
  try {
    backEnd.handlers = {};
    const player = await join(another, newest, inRoom('again'));
    await backEnd.skipTo('connect');
    let times = 0;
    backEnd.handlers = { event: () => (++times < 2 ? cut : { ack: 'fine' }) };
    assert.deepEqual(await player.ask('anything'), ['fine']);
    const [first, second] = [await backEnd.skipTo('event'), await backEnd.skipTo('event')];
    assert.deepEqual(first, second);
    player.close();
  } finally {
    await another.stop();
  }
});
