// examples/recipes/src/tokens.rs: JSON Web Tokens that expire and are renewed.

import assert from 'node:assert/strict';
import { awakeAndAsleep } from '../harness/recipes.mjs';
import { KEY, token, tokens } from './tokens.mjs';

const options = { variables: { JWT_KEY: KEY } };

tokens(options);

awakeAndAsleep('who does not renew a token in time is disconnected', '/tokens/', async ({ open }) => {
  const ada = await open({ auth: { token: token('ada', 4) }, hears: ['renew'] });
  const bob = await open({ auth: { token: token('bob', 4) }, hears: ['renew'] });
  for (const somebody of [ada, bob]) await somebody.next('renew');
  assert.equal(await ada.ask('renew', token('ada', 3_600)), undefined);
  assert.equal(await bob.end(), 'io server disconnect');
  assert.equal(await ada.ask('who am I'), 'ada');
}, options);
