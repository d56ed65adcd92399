// A gateway that was created from examples/gateway, outside of this repository, from the
// crates as they would be published, and built as its own wrangler.toml says.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { io } from 'socket.io-client';
import { BackEnd, startGateway } from '../harness/gateway.mjs';
import { workerOnly } from '../harness/target.mjs';

const project = process.env.DORMOUSE_GATEWAY;
if (!project) throw new Error('DORMOUSE_GATEWAY is not set: npm test creates the project');

test('its back end answers an event', workerOnly, async (t) => {
  const backEnd = await BackEnd.start({ event: ({ args }) => ({ ack: [args[0] + 1] }) });
  t.after(() => backEnd.stop());
  const gateway = await startGateway(backEnd.url, {}, path.join(project, 'build'));
  t.after(() => gateway.stop());
  const socket = io(gateway.url, { forceNew: true, reconnection: false });
  t.after(() => socket.disconnect());
  assert.equal(await socket.timeout(8_000).emitWithAck('next', 7), 8);
});

test('its name is the project’s everywhere', () => {
  for (const file of ['Cargo.toml', 'wrangler.toml', 'package.json']) {
    const text = readFileSync(path.join(project, file), 'utf8');
    assert.match(text, /"?name"? ?[=:] "first-gateway"/, file);
    assert.doesNotMatch(text, /dormouse-gateway/, file);
  }
});
