// What a message costs inside: the built Worker and the limit on a platform that
// does nothing, so that the time is that of our code and of the bindings. Run as a
// program of its own, with a module and the name of its class; prints one JSON.

import { makeObject } from './platform.mjs';

const MESSAGES = 5_000;
const ROUNDS = 9;
const CROWD = 1_000;

const [file, name] = process.argv.slice(2);
const text = (bytes) => 'x'.repeat(bytes);

/** Nanoseconds for each call: the median of the rounds, once the engine is warm. */
function time(count, call) {
  const samples = [];
  for (let round = -2; round < ROUNDS; round += 1) {
    const began = process.hrtime.bigint();
    for (let index = 0; index < count; index += 1) call(index);
    if (round >= 0) samples.push(Number(process.hrtime.bigint() - began) / count);
  }
  return samples.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)];
}

async function member(object, open, path) {
  const socket = await open(path);
  if (path !== '/engine.io/') object.webSocketMessage(socket, '40');
  return socket;
}

async function measure() {
  const results = {};
  const one = async (title, path, message) => {
    const { object, open } = await makeObject(file, name);
    const socket = await member(object, open, path);
    const before = socket.sent;
    results[title] = time(MESSAGES, (index) => {
      // A client that takes in megabytes has to show that it is alive.
      if (index % 100 === 0) object.webSocketMessage(socket, '3');
      object.webSocketMessage(socket, message);
    });
    if (socket.sent - before < MESSAGES * ROUNDS) throw new Error(`${title}: not every message was answered`);
  };
  for (const [size, bytes] of [['16 B', 16], ['1 KB', 1_000], ['10 KB', 10_000]]) {
    await one(`Engine.IO echo ${size}`, '/engine.io/', `4${text(bytes)}`);
    await one(`echo ${size}`, '/socket.io/', `42["echo","${text(bytes)}"]`);
  }
  await one('acknowledgement', '/socket.io/', '421["ack","sixteen letters!"]');
  results['delivery of a broadcast to 1,000'] = await broadcast();
  return results;
}

async function broadcast() {
  const { object, open } = await makeObject(file, name);
  const members = [];
  while (members.length < CROWD) members.push(await member(object, open, '/socket.io/'));
  for (const socket of members) object.webSocketMessage(socket, '421["join","room"]');
  const whole = time(20, () => object.webSocketMessage(members[0], '42["cast","room","sixteen letters!"]'));
  return whole / CROWD;
}

console.log(JSON.stringify(await measure()));
process.exit();
