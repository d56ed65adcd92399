// What stock clients see of the sessions of a web site, in Rust and in TypeScript.

import assert from 'node:assert/strict';
import { awakeAndAsleep } from '../harness/recipes.mjs';

/** `define` is one of harness/recipes.mjs. */
export function sessions(options, define = awakeAndAsleep) {
  define('who has logged in is known, until they log out', '/sessions/', async ({ server, open, rest }) => {
    const post = (path, options) => fetch(server.url + path, { method: 'POST', ...options });
    const refused = ({ refusal }) => refusal.message === 'log in first';
    await assert.rejects(open({}), refused);
    await assert.rejects(open({ extraHeaders: { cookie: `session=${'x'.repeat(36)}` } }), refused);

    const [answer] = (await post('/log-in', { body: 'ada' })).headers.getSetCookie();
    const [cookie] = answer.split(';');
    assert.match(answer, /; HttpOnly; Secure; SameSite=Lax$/);
    const tabs = [];
    for (let tab = 0; tab < 2; tab += 1) tabs.push(await open({ extraHeaders: { cookie: `theme=dark; ${cookie}` } }));
    assert.equal(await tabs[0].ask('who am I'), 'ada');

    await rest();
    assert.equal((await post('/log-out', { headers: { cookie } })).status, 200);
    for (const tab of tabs) assert.equal(await tab.end(), 'io server disconnect');
    await assert.rejects(open({ extraHeaders: { cookie } }), refused);
  }, options);
}
