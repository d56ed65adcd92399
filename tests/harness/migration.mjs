// What stock clients see of the applications in examples/migration, on whichever server.

import assert from 'node:assert/strict';
import { Player, newest } from './clients/socket.mjs';

/**
 * Goes through an application on this path, with a route that announces. Before each step,
 * `rest` gets the sid of who is there, if anybody is.
 */
export async function converse({ url }, t, { rest = async () => {}, path = '/socket.io/', route = '/announce/' } = {}) {
  const players = [];
  const pause = async () => {
    const present = players.find((player) => player.socket.connected);
    if (present) await rest(present.sid);
  };
  t.after(() => players.forEach((player) => player.close()));
  const open = async (name) => {
    await pause();
    const player = new Player({ url }, newest, { path, auth: { name }, transports: ['websocket'] });
    player.listen('joined', 'said', 'whispered', 'announced', 'left', 'reminder');
    // Whoever is called Cem does not answer.
    player.socket.on('asked', (question, answer) => name === 'Cem' || answer(`${question} ${name}!`));
    players.push(player);
    await player.connected();
    return player;
  };
  const ask = async (player, ...event) => {
    await pause();
    const [value] = await player.ask(...event);
    return value;
  };

  await assert.rejects(open(''), ({ refusal }) => refusal.message === 'who are you?');
  const ada = await open('Ada');
  assert.deepEqual(await ask(ada, 'say', 'kitchen', 'hello'), { error: 'join the room first' });
  assert.deepEqual(await ask(ada, 'join', 'kitchen'), ['Ada']);
  const bob = await open('Bob');
  assert.deepEqual(await ask(bob, 'join', 'kitchen'), ['Ada', 'Bob']);
  assert.deepEqual(await ada.next('joined'), ['Bob']);
  const cem = await open('Cem');
  assert.deepEqual(await ask(cem, 'join', 'kitchen'), ['Ada', 'Bob', 'Cem']);

  await ask(bob, 'say', 'kitchen', 'hello');
  for (const other of [ada, cem]) assert.deepEqual(await other.next('said'), ['Bob', 'hello']);
  await pause();
  ada.emit('whisper', 'Cem', 'psst');
  assert.deepEqual(await cem.next('whispered'), ['Ada', 'psst']);
  assert.deepEqual(await ask(ada, 'ask', 'kitchen', 'tea?'), ['tea? Ada!', 'tea? Bob!']);

  await pause();
  assert.equal((await fetch(`${url}${route}kitchen`, { method: 'POST', body: 'supper' })).status, 200);
  for (const somebody of [ada, bob, cem]) assert.deepEqual(await somebody.next('announced'), ['supper']);
  await pause();
  bob.close();
  assert.deepEqual(await ada.next('left'), ['Bob']);
  return { ask, ada, cem };
}
