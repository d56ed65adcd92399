// Another Worker, which reaches the HTTP API through a service binding without a secret.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from 'miniflare';
import { join, newest } from '../harness/clients/socket.mjs';
import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS, OBJECT, builtFile } from '../harness/runtime/built.mjs';
import { endWithParent } from '../harness/runtime/parent.mjs';
import { freshNamespace } from '../harness/socket/client.mjs';

const build = 'tests/worker/build';

// It calls the binding that its path names, with all that it was sent.
const caller = `export default {
  fetch(request, env) {
    const binding = env[new URL(request.url).pathname.slice(1)];
    return binding.fetch('https://chat/io/api/v1/emit', {
      method: 'POST',
      headers: request.headers,
      body: request.body,
    });
  },
};`;

const runtime = new Miniflare(
  convertV4MiniflareOptions({
    host: '127.0.0.1',
    log: new Log(LogLevel.NONE),
    workers: [
      {
        name: 'caller',
        modules: true,
        script: caller,
        compatibilityDate: COMPATIBILITY_DATE,
        serviceBindings: {
          CHAT: { name: 'chat', props: { dormouse: 'api' } },
          OTHER: { name: 'chat', props: { dormouse: 'something else' } },
          BARE: 'chat',
        },
        unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
      },
      {
        name: 'chat',
        modules: [
          { type: 'ESModule', path: builtFile(build, 'index.js') },
          { type: 'CompiledWasm', path: builtFile(build, 'index_bg.wasm') },
        ],
        modulesRoot: build,
        compatibilityDate: COMPATIBILITY_DATE,
        compatibilityFlags: COMPATIBILITY_FLAGS,
        durableObjects: { DORMOUSE: { className: OBJECT, useSQLite: true } },
        bindings: { API_SECRET: 'a secret' },
        unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
      },
    ],
  }),
);
endWithParent(() => runtime.dispose());
after(() => runtime.dispose());
await runtime.ready;
const chat = (await runtime.unsafeGetDirectURL('chat')).origin;
const outside = (await runtime.unsafeGetDirectURL('caller')).origin;

const emit = (url, body, headers) =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });

test('a binding with props needs no secret', async () => {
  const namespace = freshNamespace();
  const player = await join({ url: chat }, newest, { path: '/io/', namespace });
  player.listen('x');
  const response = await emit(`${outside}/CHAT`, { namespace, event: 'x', args: [1] });
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { missing: [] });
  assert.deepEqual(await player.next('x'), [1]);
  player.close();
});

test('a binding without them, or with others, needs one', async () => {
  const body = { event: 'x' };
  for (const binding of ['BARE', 'OTHER']) {
    assert.equal((await emit(`${outside}/${binding}`, body)).status, 401, binding);
    const response = await emit(`${outside}/${binding}`, body, { authorization: 'Bearer a secret' });
    assert.equal(response.status, 200, binding);
  }
});

test('nobody outside can bring props', async () => {
  for (const headers of [{ props: '{"dormouse":"api"}' }, { 'cf-worker-props': 'api' }, { dormouse: 'api' }]) {
    assert.equal((await emit(`${chat}/io/api/v1/emit`, { event: 'x' }, headers)).status, 401);
  }
});
