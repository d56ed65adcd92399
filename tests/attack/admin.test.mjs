// What somebody without the password of an admin namespace makes an object do: what any
// client does that is refused.

import { describe } from 'node:test';
import assert from 'node:assert/strict';
import { startMetered } from '../harness/meter/metered.mjs';
import { LARGE, MiB, attacks } from './field.mjs';

const PASSWORD = 'correct horse battery staple';
const ATTEMPTS = 150;

const start = (options) => startMetered({ ...options, variables: { ADMIN_PASSWORD: PASSWORD } });
const attack = attacks({ start });
/** The others have a row, whatever the attacker does. */
const NOTHING = { rowsWritten: 1, statements: 10, alarmsSet: 1, wasm: 32 * MiB };

const made = `9999999999.${'A'.repeat(43)}`;
const attempts = {
  'a wrong password': { username: 'admin', password: `${PASSWORD}!` },
  'a session value that was made up': { sessionId: made },
  'a password of 1 MB': { username: 'admin', password: 'x'.repeat(LARGE) },
  'a session value of 1 MB': { sessionId: made.repeat(LARGE / made.length) },
};

describe('an admin namespace', { concurrency: 1 }, () => {
  for (const [name, auth] of Object.entries(attempts)) {
    const count = JSON.stringify(auth).length > 1_000 ? 20 : ATTEMPTS;
    attack(`${count} times ${name}: no row, no timer`, { path: '/admin-all/', may: NOTHING }, async (field) => {
      const { client } = await field.member();
      await field.begin();
      for (let made = 0; made < count; made += 1) {
        client.peer.send(`40/admin,${JSON.stringify(auth)}`);
        assert.equal(await client.next('answer'), '4/admin,{"message":"invalid credentials"}');
      }
      const { timer } = await field.server.state(field.object);
      assert.equal(timer, null);
    });
  }
});
