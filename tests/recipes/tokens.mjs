// What stock clients see of JSON Web Tokens, in Rust and in TypeScript.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { awake, awakeAndAsleep } from '../harness/recipes.mjs';

export const KEY = 'a key of the tests';

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function token(sub, seconds, { alg = 'HS256', key = KEY } = {}) {
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const signed = `${base64url({ alg, typ: 'JWT' })}.${base64url({ sub, exp })}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

/** `define` is one of harness/recipes.mjs. */
export function tokens(options, define = awakeAndAsleep) {
  define('a client is not another one by its token', '/tokens/', async ({ open }) => {
    const ada = await open({ auth: { token: token('ada', 3_600) } });
    assert.deepEqual(await ada.ask('renew', token('bob', 3_600)), { error: 'log in again' });
    assert.equal(await ada.ask('who am I'), 'ada');
  }, options);

  awake('what is no valid token lets nobody in', '/tokens/', async ({ open }) => {
    const forged = [token('ada', 9, { key: 'another' }), token('ada', 9, { alg: 'none' })];
    for (const it of ['', 'a.b.c', 'é.é', token('ada', -1), ...forged]) {
      await assert.rejects(open({ auth: { token: it } }), ({ refusal }) => refusal.message === 'log in again');
    }
  }, options);
}
