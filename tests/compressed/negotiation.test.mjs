// Who compresses WebSocket messages: the runtime, with every client that offers it, unless
// the Worker's compatibility flags forbid it.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { openSession } from '../harness/engine/session.mjs';
import { startServer } from '../harness/server.mjs';
import { workerOnly } from '../harness/target.mjs';

const flags = ['enable_request_signal'];

for (const [name, compatibilityFlags, extensions] of [
  ['with the flag nobody compresses', [...flags, 'no_web_socket_compression'], ''],
  ['without it the runtime does', flags, 'permessage-deflate'],
]) {
  test(name, workerOnly, async (t) => {
    const server = await startServer({ worker: { compatibilityFlags } });
    t.after(() => server.stop());
    const peer = await openSession(server, { compresses: true });
    assert.equal(peer.socket.extensions, extensions);

    // 31 MiB, and 31 kB of them on the wire if it is compressed: that is over the bound.
    const written = () => peer.socket._socket.bytesWritten;
    const before = written();
    const bomb = `4${'x'.repeat(31 << 20)}`;
    await new Promise((resolve) => peer.socket.send(bomb, { compress: true }, resolve));
    assert.equal(written() - before < 1 << 20, extensions !== '', `${written() - before} bytes`);
    const { code } = await peer.end('end of the WebSocket', 30_000);
    assert.equal(code, 1009);
  });
}
