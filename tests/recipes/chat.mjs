// What stock clients see of a chat with a history, in Rust and in TypeScript.

import assert from 'node:assert/strict';
import { awake, awakeAndAsleep } from '../harness/recipes.mjs';

/** `define` is one of harness/recipes.mjs, and `prepare(server)` is called first. */
export function chat(options, define = awakeAndAsleep, prepare = async () => {}) {
  const prepared = (body) => async ({ server, ...given }) => {
    await prepare(server);
    await body(given);
  };

  define('a room has its messages, page by page', '/chat/', prepared(async ({ open }) => {
    const ada = await open({ auth: { name: 'Ada' }, hears: ['said'] });
    const bob = await open({ auth: { name: 'Bob' } });
    assert.deepEqual(await ada.ask('enter', 'lobby'), []);
    const first = await ada.ask('say', 'lobby', ' hello ');
    assert.deepEqual([first.name, first.text], ['Ada', 'hello']);
    assert.deepEqual(await bob.ask('enter', 'lobby'), [first]);
    const second = await bob.ask('say', 'lobby', 'hi');
    assert.deepEqual(await ada.hear('said'), second);

    const texts = Array.from({ length: 50 }, (_, number) => `number ${number}`);
    for (const text of texts) bob.emit('say', 'lobby', text);
    const page = await bob.ask('enter', 'lobby');
    assert.deepEqual(page.map(({ text }) => text), texts);
    assert.deepEqual(await bob.ask('older', 'lobby', page[0].id), [first, second]);
    assert.deepEqual(await ada.ask('enter', 'kitchen'), []);
  }), options);

  define('who comes back has missed nothing', '/chat/', prepared(async ({ open }) => {
    const ada = await open({ auth: { name: 'Ada' }, hears: ['said'], reconnection: true, reconnectionDelay: 500 });
    const bob = await open({ auth: { name: 'Bob' } });
    for (const somebody of [ada, bob]) await somebody.ask('enter', 'lobby');
    await ada.lose();
    const missed = await bob.ask('say', 'lobby', 'where are you?');
    assert.deepEqual(await ada.hear('said'), missed);
    assert.equal(ada.socket.recovered, true);
    assert.equal((await ada.ask('say', 'lobby', 'in the room, without entering it again')).name, 'Ada');
  }), options);

  awake('what is not allowed is said', '/chat/', prepared(async ({ open }) => {
    await assert.rejects(open({ auth: { name: ' ' } }), ({ refusal }) => refusal.message === 'name is empty');
    const ada = await open({ auth: { name: 'Ada' } });
    assert.deepEqual(await ada.ask('say', 'lobby', 'hello'), { error: 'enter the room first' });
    await ada.ask('enter', 'lobby');
    assert.deepEqual(await ada.ask('say', 'lobby', 'x'.repeat(2_001)), { error: 'text has more than 2000 characters' });
  }), options);
}
