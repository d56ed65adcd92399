// The Rust client, rust_socketio: tests/rust/src/main.rs says what it does.

import { after, test } from 'node:test';
import { prepared, run } from '../harness/clients/program.mjs';
import { startServer } from '../harness/server.mjs';

const client = prepared('DORMOUSE_RUST_CLIENT', 'target/rust-client/debug/dormouse-rust-client');

const server = await startServer();
after(() => server.stop());

for (const transport of ['polling', 'websocket', 'upgrade']) {
  test(`rust_socketio, ${transport}`, async () => {
    await run(client, transport, server.url);
  });
}
