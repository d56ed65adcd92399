// Clients that come, talk, and go: every generation, by every transport. Each checks
// what it is told, and throws when it is not what the protocol promises.

import assert from 'node:assert/strict';
import { Chatter } from '../harness/clients/chatter.mjs';
import { ways } from '../harness/clients/common.mjs';
import * as engine from '../harness/clients/engine.mjs';
import { Player, libraries, newest, packed } from '../harness/clients/socket.mjs';
import { pass } from '../harness/delays.mjs';
import { pick } from '../harness/random.mjs';

const ROOMS = ['red', 'green', 'blue'];
const LONGEST_PAUSE = 1_000;
const MOST_STEPS = 12;
const LARGEST = 20_000;

/** The kinds of visitors, as functions of the world that last as long as the visit. */
export const visits = [
  ...Array(6).fill(talk(libraries, '/io/')),
  talk([packed], '/msgpack/'),
  chat,
  chat,
  echo,
  echo,
];

const steps = (random) => 1 + Math.floor(random() * MOST_STEPS);
const pause = (random) => pass(random() * LONGEST_PAUSE);

/** Socket.IO: acknowledgements, rooms, bursts, bytes, data. */
function talk(all, path) {
  return async (world) => {
    const { server, random, name } = world;
    const { transports } = pick(random, ways);
    const options = { path, transports, namespace: '/chat', timeout: 20_000 };
    const player = new Player(server, pick(random, all), options);
    const heard = new Map();
    try {
      await player.connected();
      player.socket.on('said', (speaker, number) => assertNext(world, heard, speaker, number));
      const room = pick(random, ROOMS);
      await player.ask('join', room);
      for (let step = steps(random); step > 0; step -= 1) {
        await pick(random, doings)({ ...world, player, room, name, step: -step });
        world.count('acknowledgements');
        await pause(random);
      }
      pick(random, partings)(player);
    } finally {
      player.close();
    }
  };
}

const doings = [
  async ({ player, random }) => {
    const text = 'x'.repeat(random() * LARGEST);
    assert.deepEqual(await player.ask('message-with-ack', text, { a: [1, null] }), [text, { a: [1, null] }]);
  },
  async ({ player, random }) => {
    const bytes = Buffer.alloc(random() * LARGEST, 7);
    assert.deepEqual(await player.ask('message-with-ack', bytes), [bytes]);
  },
  async ({ player, room, name, step }) => {
    assert.deepEqual(await player.ask('cast', { to: [room] }, 'said', name, step), ['ok']);
  },
  async ({ player }) => {
    player.listen('n').emit('burst', 20);
    for (let index = 0; index < 20; index += 1) assert.deepEqual(await player.next('n'), [index]);
  },
  async ({ player, name }) => {
    await player.ask('set-data', { name });
    assert.deepEqual(await player.ask('get-data'), [{ name }]);
  },
  // Whoever waits for something when a handler panics waits in vain.
  async ({ player, panics }) => {
    const before = panics();
    const answer = await player.ask('slow', 50, 1).catch((error) => (panics() > before ? [1] : error));
    assert.deepEqual(answer, [1]);
  },
];

// By the library, by the transport, without a word, and sent away.
const partings = [
  (player) => player.close(),
  (player) => player.socket.io.engine.close(),
  (player) => player.socket.io.engine.transport.close(),
  (player) => player.emit('leave-me', true),
];

function assertNext(world, heard, speaker, number) {
  world.count('deliveries');
  const last = heard.get(speaker) ?? -Infinity;
  if (number <= last) world.fail(`${number} of ${speaker} came after ${last}`);
  heard.set(speaker, number);
}

/** A client that recovers, whatever happens to its connection or its object. */
async function chat(world) {
  const { server, random, name } = world;
  const { transports } = pick(random, ways);
  const chatter = new Chatter(server, newest, { name, room: pick(random, ROOMS), transports });
  try {
    await chatter.returned();
    for (let step = steps(random); step > 0; step -= 1) {
      await chatter.chat(1);
      world.count('acknowledgements');
      if (random() < 0.2) chatter.player.socket.io.engine.close();
      await pause(random);
      await chatter.returned();
    }
    chatter.assertOrder();
  } finally {
    chatter.leave();
  }
}

/** Engine.IO: what is sent comes back, in order. */
async function echo({ server, random, count }) {
  const options = { path: '/sleepy/', transports: pick(random, ways).transports, settle: false };
  const client = await engine.connect(server, pick(random, engine.libraries), options);
  try {
    for (let step = steps(random); step > 0; step -= 1) {
      const messages = [`${step}`, Buffer.alloc(random() * LARGEST, 3), 'é🦔'];
      for (const message of messages) client.send(message);
      for (const message of messages) assert.deepEqual(await client.next(), message);
      count('echoes');
      await pause(random);
    }
  } finally {
    client.close();
  }
}
