// One room in a hundred objects, or with `--all` in a thousand: everybody hears everything
// once, in one order, and each operation ends well within its limit, because objects are
// called side by side.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { join, newest } from '../harness/clients/socket.mjs';
import { extent } from '../harness/extent.mjs';
import { objectOf, spent } from '../harness/socket/spread.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';
import { within } from '#dormouse-test/wait.mjs';

const COUNT = extent(128, 1_000);
const AT_ONCE = 20;
/** More than any of them may take here, and less than if objects were called in turn. */
const LONGEST = 30_000;

/** Does something as often as it wants to be done, some at a time. */
async function each(run) {
  const work = async () => {
    while (await run());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function ask(player, event, ...args) {
  const asked = new Promise((resolve) => player.socket.emit(event, ...args, resolve));
  return within(asked, `acknowledgement of ${event}`, LONGEST);
}

test(`a room in ${COUNT} objects`, workerOnly, async (t) => {
  const server = await startServer({ crowded: true });
  t.after(() => server.stop());
  const players = [];
  t.after(() => players.forEach((player) => player.close()));
  const places = new Set();
  await each(async () => {
    // Some are in the same object by chance.
    if (places.size >= COUNT) return false;
    const player = await join(server, newest, { path: '/scattered/', transports: ['websocket'] });
    places.add(objectOf(player));
    players.push(player.listen('said'));
    player.socket.on('asked', (value, answer) => answer(value + 1));
    await ask(player, 'join', 'all');
    return true;
  });

  await t.test('events', async () => {
    const senders = players.slice(0, 10);
    const { calls } = await spent(server, async () => {
      const saying = senders.flatMap((player, from) => [0, 1, 2].map((number) => ask(player, 'say', 'all', { from, number })));
      assert.deepEqual(await Promise.all(saying), saying.map(() => 'ok'));
    });
    const story = players[0].pending('said');
    assert.equal(story.length, 30);
    for (const player of players) assert.deepEqual(player.pending('said'), story);
    for (const from of senders.keys()) {
      assert.deepEqual(story.flatMap(([value]) => (value.from === from ? [value.number] : [])), [0, 1, 2]);
    }
    // What waits for an object goes together: a call for each event would be 30 for each object.
    assert.ok(calls < 15 * COUNT, `${calls} calls`);
  });

  await t.test('who is there', async () => {
    const ids = players.map(({ id }) => id).sort();
    assert.deepEqual(await ask(players[1], 'who', 'all'), ids);
  });

  await t.test('acknowledgements', async () => {
    const { answers, ...others } = await ask(players[2], 'ask', 'all', 1, 5_000);
    assert.deepEqual(others, { late: 0, gone: 0, missing: 0 });
    assert.deepEqual(answers.map(([id]) => id).sort(), players.map(({ id }) => id).sort());
    assert.ok(answers.every(([, value]) => value === 2));
  });

  await t.test('disconnection', async () => {
    assert.equal(await ask(await open(), 'kick', 'all'), 'ok');
    for (const player of players) assert.equal(await player.end(), 'io server disconnect');
  });

  async function open() {
    const outside = await join(server, newest, { path: '/scattered/' });
    t.after(() => outside.close());
    return outside;
  }
});
