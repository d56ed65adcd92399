// The stock JavaScript clients through what stands between a client and the Worker while
// it is developed: Miniflare's entry, and `wrangler dev`. Both ask the Worker for gzip in
// the name of clients that cannot read it.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { ways } from '../harness/clients/common.mjs';
import * as engine from '../harness/clients/engine.mjs';
import { join, libraries } from '../harness/clients/socket.mjs';
import { startWrangler } from '../harness/runtime/wrangler.mjs';
import { startServer } from '../harness/server.mjs';
import { target, workerOnly } from '../harness/target.mjs';

// A browser opens no more to one server at a time, and Node's old agents fewer.
const CLIENTS = 12;

// Over the bound from which answers are compressed for those who ask for it.
const LONG = 5_000;

const direct = await startServer({ entry: true });
after(() => direct.stop());

const { entryUrl } = direct;
const servers = { 'the entry': { ...direct, url: entryUrl, wsUrl: entryUrl.replace('http', 'ws') } };
if (target === 'worker') {
  const wrangler = await startWrangler();
  after(() => wrangler.stop());
  servers['wrangler dev'] = wrangler;
}

function twelve(serve) {
  return Promise.all(Array.from({ length: CLIENTS }, serve));
}

for (const [name, server] of Object.entries(servers)) {
  describe(`through ${name}`, workerOnly, () => {
    for (const library of libraries) {
      for (const { name: way, transports } of ways) {
        test(`${library.name}, ${way}: ${CLIENTS} clients get a long event`, () =>
          twelve(async () => {
            const player = await join(server, library, { path: '/io/', transports });
            player.listen('big').emit('big', LONG);
            assert.deepEqual(await player.next('big'), ['x'.repeat(LONG)]);
            player.close();
          }));
      }
    }

    for (const library of engine.libraries) {
      for (const { name: way, transports } of ways) {
        test(`${library.name}, ${way}: ${CLIENTS} clients get a long message`, () =>
          twelve(async (_, index) => {
            const client = await engine.connect(server, library, { transports });
            const text = String(index).repeat(LONG);
            client.send(text);
            assert.equal(await client.next(), text);
            client.close();
          }));
      }
    }
  });
}
