// examples/recipes/src/tokens.rs: JSON Web Tokens that expire and are renewed.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { awake, awakeAndAsleep } from '../harness/recipes.mjs';

const KEY = 'a key of the tests';
const server = { variables: { JWT_KEY: KEY } };

const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function token(sub, seconds, { alg = 'HS256', key = KEY } = {}) {
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const signed = `${base64url({ alg, typ: 'JWT' })}.${base64url({ sub, exp })}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

awakeAndAsleep('a client renews its token on the open socket', '/tokens/', async ({ open }) => {
  const ada = await open({ auth: { token: token('ada', 4) }, hears: ['renew'] });
  const bob = await open({ auth: { token: token('bob', 4) }, hears: ['renew'] });
  for (const somebody of [ada, bob]) await somebody.next('renew');
  assert.equal(await ada.ask('renew', token('ada', 3_600)), undefined);
  assert.equal(await bob.end(), 'io server disconnect');
  assert.equal(await ada.ask('who am I'), 'ada');
}, server);

awakeAndAsleep('a client is not another one by its token', '/tokens/', async ({ open }) => {
  const ada = await open({ auth: { token: token('ada', 3_600) } });
  assert.deepEqual(await ada.ask('renew', token('bob', 3_600)), { error: 'log in again' });
  assert.equal(await ada.ask('who am I'), 'ada');
}, server);

awake('what is no valid token lets nobody in', '/tokens/', async ({ open }) => {
  const tokens = ['', 'a.b.c', 'é.é', token('ada', -1), token('ada', 9, { key: 'another' }), token('ada', 9, { alg: 'none' })];
  for (const it of tokens) {
    await assert.rejects(open({ auth: { token: it } }), ({ refusal }) => refusal.message === 'log in again');
  }
}, server);
